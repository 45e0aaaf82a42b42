-- The tables of CONTRACT section 7. Amounts, prices and quantities are exact decimals.

CREATE TABLE sessions (
    session_id   TEXT NOT NULL PRIMARY KEY,
    coordinator  TEXT NOT NULL,
    account      TEXT NOT NULL,
    mode         TEXT NOT NULL,
    session_date DATE NOT NULL,
    opened_at    TIMESTAMPTZ NOT NULL,
    closed_at    TIMESTAMPTZ,
    status       TEXT NOT NULL,
    config_hash  TEXT NOT NULL
);

CREATE TABLE strategies (
    session_id    TEXT NOT NULL,
    strategy      TEXT NOT NULL,
    strategy_type TEXT NOT NULL,
    params        JSON NOT NULL,
    tickers       TEXT[] NOT NULL,
    initial_cash  DECIMAL(38, 18) NOT NULL,
    PRIMARY KEY (session_id, strategy)
);

CREATE TABLE bars (
    account     TEXT NOT NULL,
    feed        TEXT NOT NULL,
    symbol      TEXT NOT NULL,
    ts          TIMESTAMPTZ NOT NULL,
    open        DECIMAL(38, 18) NOT NULL,
    high        DECIMAL(38, 18) NOT NULL,
    low         DECIMAL(38, 18) NOT NULL,
    close       DECIMAL(38, 18) NOT NULL,
    volume      DECIMAL(38, 18) NOT NULL,
    trade_count BIGINT,
    vwap        DECIMAL(38, 18),
    origin      TEXT NOT NULL,
    PRIMARY KEY (account, feed, symbol, ts)
);

CREATE TABLE orders (
    client_order_id  TEXT NOT NULL,
    session_id       TEXT NOT NULL,
    broker_order_id  TEXT,
    strategy         TEXT NOT NULL,
    symbol           TEXT NOT NULL,
    side             TEXT NOT NULL,
    qty              DECIMAL(38, 18),
    filled_qty       DECIMAL(38, 18) NOT NULL,
    filled_avg_price DECIMAL(38, 18),
    status           TEXT NOT NULL,
    reason           TEXT,
    decision_price   DECIMAL(38, 18),
    decided_at       TIMESTAMPTZ,
    submitted_at     TIMESTAMPTZ,
    closed_at        TIMESTAMPTZ,
    PRIMARY KEY (session_id, client_order_id)
);

CREATE TABLE fills (
    execution_id    TEXT NOT NULL,
    session_id      TEXT NOT NULL,
    client_order_id TEXT,
    session_date    DATE NOT NULL,
    strategy        TEXT NOT NULL,
    symbol          TEXT NOT NULL,
    side            TEXT NOT NULL,
    qty             DECIMAL(38, 18) NOT NULL,
    price           DECIMAL(38, 18) NOT NULL,
    fee             DECIMAL(38, 18) NOT NULL,
    filled_at       TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_id, execution_id)
);

CREATE TABLE activities (
    activity_id  TEXT NOT NULL,
    session_id   TEXT NOT NULL,
    session_date DATE NOT NULL,
    strategy     TEXT NOT NULL,
    kind         TEXT NOT NULL,
    symbol       TEXT,
    qty          DECIMAL(38, 18),
    amount       DECIMAL(38, 18),
    allocated_by TEXT,
    PRIMARY KEY (session_id, activity_id, strategy)
);

CREATE TABLE positions (
    session_id     TEXT NOT NULL,
    strategy       TEXT NOT NULL,
    symbol         TEXT NOT NULL,
    qty            DECIMAL(38, 18) NOT NULL,
    avg_price      DECIMAL(38, 18),
    mark_price     DECIMAL(38, 18),
    market_value   DECIMAL(38, 18),
    unrealized_pnl DECIMAL(38, 18),
    PRIMARY KEY (session_id, strategy, symbol)
);

CREATE TABLE pnl_daily (
    session_date      DATE NOT NULL,
    session_id        TEXT NOT NULL,
    strategy          TEXT NOT NULL,
    start_equity      DECIMAL(38, 18) NOT NULL,
    end_equity        DECIMAL(38, 18) NOT NULL,
    transfers         DECIMAL(38, 18) NOT NULL,
    realized_pnl      DECIMAL(38, 18) NOT NULL,
    unrealized_change DECIMAL(38, 18) NOT NULL,
    fees              DECIMAL(38, 18) NOT NULL,
    net_pnl           DECIMAL(38, 18) NOT NULL,
    return_pct        DOUBLE,
    fills             BIGINT NOT NULL,
    max_drawdown      DOUBLE,
    PRIMARY KEY (session_id, strategy)
);

CREATE TABLE equity (
    session_id   TEXT NOT NULL,
    strategy     TEXT NOT NULL,
    ts           TIMESTAMPTZ NOT NULL,
    cash         DECIMAL(38, 18) NOT NULL,
    market_value DECIMAL(38, 18) NOT NULL,
    equity       DECIMAL(38, 18) NOT NULL,
    PRIMARY KEY (session_id, strategy, ts)
);

CREATE TABLE discrepancies (
    session_id TEXT NOT NULL,
    found_at   TIMESTAMPTZ NOT NULL,
    kind       TEXT NOT NULL,
    symbol     TEXT,
    strategy   TEXT,
    ours       DECIMAL(38, 18),
    brokers    DECIMAL(38, 18),
    note       TEXT
);

CREATE TABLE quarantine (
    session_id     TEXT NOT NULL,
    table_name     TEXT NOT NULL,
    reason         TEXT NOT NULL,
    "row"          JSON NOT NULL,
    quarantined_at TIMESTAMPTZ NOT NULL
);

-- What the loader knows of each session, so that an unchanged journal is not loaded twice.
CREATE TABLE loads (
    session_id   TEXT NOT NULL PRIMARY KEY,
    mark         TEXT NOT NULL,
    status       TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    row_counts   JSON NOT NULL,
    restatements BIGINT NOT NULL,
    loaded_at    TIMESTAMPTZ NOT NULL
);

-- First in, first out, kept by the loader: matching years of executions anew for each query is slow.
CREATE TABLE round_trips (
    session_id         TEXT NOT NULL,
    strategy           TEXT NOT NULL,
    symbol             TEXT NOT NULL,
    qty                DECIMAL(38, 18) NOT NULL,
    entry_price        DECIMAL(38, 18) NOT NULL,
    exit_price         DECIMAL(38, 18) NOT NULL,
    entered_at         TIMESTAMPTZ NOT NULL,
    exited_at          TIMESTAMPTZ NOT NULL,
    gross_pnl          DECIMAL(38, 18),
    fees               DECIMAL(38, 18) NOT NULL,
    entry_execution_id TEXT NOT NULL,
    exit_execution_id  TEXT NOT NULL
);

CREATE TABLE open_lots (
    session_id   TEXT NOT NULL,
    strategy     TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    place        BIGINT NOT NULL,
    qty          DECIMAL(38, 18) NOT NULL,
    price        DECIMAL(38, 18) NOT NULL,
    fee          DECIMAL(38, 18) NOT NULL,
    filled_at    TIMESTAMPTZ NOT NULL,
    execution_id TEXT NOT NULL,
    PRIMARY KEY (session_id, strategy, symbol, place)
);

-- A quantity (below 1e11) times a price (below 1e9), exact while both have at most 9 decimals and
-- rounded beyond; NULL above 1e20. DuckDB's own product of two DECIMAL(38,18) overflows at 100.
CREATE MACRO money_product(quantity, price) AS (
    coalesce(
        TRY_CAST(trunc(quantity, 9) AS DECIMAL(20, 9)) * TRY_CAST(trunc(price, 9) AS DECIMAL(18, 9))
        + TRY_CAST((quantity - trunc(quantity, 9))::DOUBLE * price::DOUBLE
            + trunc(quantity, 9)::DOUBLE * (price - trunc(price, 9))::DOUBLE AS DECIMAL(38, 18)),
        TRY_CAST(quantity::DOUBLE * price::DOUBLE AS DECIMAL(38, 18)))
);

-- The part of a fee that falls on the stretch from..upto of a lot; the parts sum to the fee exactly.
CREATE MACRO fee_share(fee, size, from_size, upto_size) AS (
    CASE WHEN fee = 0 THEN 0::DECIMAL(38, 18)
         WHEN from_size = 0 AND upto_size = size THEN fee
         ELSE CASE WHEN upto_size = size THEN fee
                   ELSE (fee::DOUBLE * (upto_size::DOUBLE / size::DOUBLE))::DECIMAL(38, 18) END
              - (fee::DOUBLE * (from_size::DOUBLE / size::DOUBLE))::DECIMAL(38, 18) END
);
