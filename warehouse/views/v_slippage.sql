CREATE OR REPLACE VIEW v_slippage AS
SELECT s.account, s.mode, f.session_date, session_id, f.strategy, f.symbol, f.side,
       client_order_id, f.execution_id, f.qty, o.decision_price, f.price,
       CASE f.side WHEN 'buy' THEN f.price - o.decision_price
                   ELSE o.decision_price - f.price END::DOUBLE
           / o.decision_price::DOUBLE * 10000 AS slippage_bps,
       money_product(f.qty, CASE f.side WHEN 'buy' THEN f.price - o.decision_price
                                        ELSE o.decision_price - f.price END) AS slippage_cost,
       o.decided_at, f.filled_at
FROM fills AS f
JOIN orders AS o USING (session_id, client_order_id)
JOIN sessions AS s USING (session_id)
WHERE o.decision_price IS NOT NULL;
COMMENT ON VIEW v_slippage IS 'Each execution against the close of the bar that decided it. Orders by hand have no decision and are not here.';
COMMENT ON COLUMN v_slippage.slippage_bps IS 'Basis points of decision_price, signed: positive costs (bought dearer, sold cheaper).';
COMMENT ON COLUMN v_slippage.slippage_cost IS 'The same in dollars; a bust has the opposite sign, so that sums are right.';
