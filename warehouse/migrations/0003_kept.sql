-- What views would otherwise work out anew for each question, over all the years; see kept.py.

CREATE TABLE equity_curve (
    session_id   TEXT NOT NULL,
    strategy     TEXT NOT NULL,
    ts           TIMESTAMPTZ NOT NULL,
    cash         DECIMAL(38, 18) NOT NULL,
    market_value DECIMAL(38, 18) NOT NULL,
    equity       DECIMAL(38, 18) NOT NULL,
    peak         DECIMAL(38, 18) NOT NULL,
    drawdown     DOUBLE
);
CREATE TABLE exposures (
    session_id TEXT NOT NULL,
    strategy   TEXT NOT NULL,
    average    DOUBLE,
    highest    DOUBLE,
    PRIMARY KEY (session_id, strategy)
);
CREATE TABLE slippages (
    session_id      TEXT NOT NULL,
    session_date    DATE NOT NULL,
    strategy        TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    side            TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    execution_id    TEXT NOT NULL,
    qty             DECIMAL(38, 18) NOT NULL,
    decision_price  DECIMAL(38, 18) NOT NULL,
    price           DECIMAL(38, 18) NOT NULL,
    slippage_bps    DOUBLE NOT NULL,
    slippage_cost   DECIMAL(38, 18),
    decided_at      TIMESTAMPTZ,
    filled_at       TIMESTAMPTZ NOT NULL
);

COMMENT ON TABLE equity_curve IS 'Equity with its peak so far; kept by the loader from equity. Read v_equity.';
COMMENT ON COLUMN equity_curve.session_id IS 'Session.';
COMMENT ON COLUMN equity_curve.strategy IS 'Owner.';
COMMENT ON COLUMN equity_curve.ts IS 'Minute.';
COMMENT ON COLUMN equity_curve.cash IS 'Dollars.';
COMMENT ON COLUMN equity_curve.market_value IS 'Positions at the last close, dollars.';
COMMENT ON COLUMN equity_curve.equity IS 'cash + market_value, dollars.';
COMMENT ON COLUMN equity_curve.peak IS 'Highest equity of the session so far, dollars.';
COMMENT ON COLUMN equity_curve.drawdown IS 'Fall from the peak as a fraction >= 0: 0.025 is 2.5 %.';
COMMENT ON TABLE exposures IS 'How much of its equity each strategy held within each session; kept by the loader from equity. Read v_exposure.';
COMMENT ON COLUMN exposures.session_id IS 'Session.';
COMMENT ON COLUMN exposures.strategy IS 'Owner.';
COMMENT ON COLUMN exposures.average IS 'Mean of market_value / equity over the rows of the session.';
COMMENT ON COLUMN exposures.highest IS 'Highest market_value / equity within the session, either sign.';
COMMENT ON TABLE slippages IS 'Each execution against the price that decided it; kept by the loader from fills and orders. Read v_slippage.';
COMMENT ON COLUMN slippages.session_id IS 'Session.';
COMMENT ON COLUMN slippages.session_date IS 'Its date.';
COMMENT ON COLUMN slippages.strategy IS 'Owner.';
COMMENT ON COLUMN slippages.symbol IS 'As configured.';
COMMENT ON COLUMN slippages.side IS 'buy or sell.';
COMMENT ON COLUMN slippages.client_order_id IS 'The order.';
COMMENT ON COLUMN slippages.execution_id IS 'The execution.';
COMMENT ON COLUMN slippages.qty IS 'Quantity; negative for a bust.';
COMMENT ON COLUMN slippages.decision_price IS 'Close of the bar that decided it, dollars.';
COMMENT ON COLUMN slippages.price IS 'Price of the execution, dollars.';
COMMENT ON COLUMN slippages.slippage_bps IS 'Basis points of decision_price, signed: positive costs (bought dearer, sold cheaper).';
COMMENT ON COLUMN slippages.slippage_cost IS 'The same in dollars; a bust has the opposite sign, so that sums are right.';
COMMENT ON COLUMN slippages.decided_at IS 'Time of the decision.';
COMMENT ON COLUMN slippages.filled_at IS 'Time of the execution.';

-- The sessions that the file holds already.
INSERT INTO equity_curve
SELECT session_id, strategy, ts, cash, market_value, equity, peak,
       CASE WHEN peak > 0 THEN (peak - equity)::DOUBLE / peak::DOUBLE END
FROM (SELECT *, max(equity) OVER (PARTITION BY session_id, strategy ORDER BY ts
                                  ROWS UNBOUNDED PRECEDING) AS peak FROM equity)
ORDER BY session_id, strategy, ts;

INSERT INTO exposures
SELECT session_id, strategy, favg(market_value::DOUBLE / nullif(equity, 0)::DOUBLE),
       max(abs(market_value)::DOUBLE / nullif(equity, 0)::DOUBLE)
FROM equity GROUP BY session_id, strategy;

INSERT INTO slippages
SELECT f.session_id, f.session_date, f.strategy, f.symbol, f.side, client_order_id, f.execution_id,
       f.qty, o.decision_price, f.price,
       CASE f.side WHEN 'buy' THEN f.price - o.decision_price
                   ELSE o.decision_price - f.price END::DOUBLE
           / o.decision_price::DOUBLE * 10000,
       money_product(f.qty, CASE f.side WHEN 'buy' THEN f.price - o.decision_price
                                        ELSE o.decision_price - f.price END),
       o.decided_at, f.filled_at
FROM fills AS f JOIN orders AS o USING (session_id, client_order_id)
WHERE o.decision_price IS NOT NULL
ORDER BY f.session_id, f.filled_at, f.execution_id;
