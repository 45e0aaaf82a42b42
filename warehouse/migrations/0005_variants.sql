-- The variants of a sweep: a backtest of many strategies that keeps the details of the best alone.

CREATE TABLE variants (
    session_id TEXT NOT NULL,
    strategy   TEXT NOT NULL,
    sweep_of   TEXT,
    swept      JSON NOT NULL,
    orders     BIGINT NOT NULL,
    turnover   DECIMAL(38, 18) NOT NULL,
    details    TEXT NOT NULL,
    PRIMARY KEY (session_id, strategy)
);

COMMENT ON TABLE variants IS 'The strategies of a sweep''s session: each has a pnl_daily row, and orders, fills, positions and equity only where details is kept.';
COMMENT ON COLUMN variants.session_id IS 'The session.';
COMMENT ON COLUMN variants.strategy IS 'The variant, by the name of its book.';
COMMENT ON COLUMN variants.sweep_of IS 'The configuration''s entry whose sweep made it; NULL for a strategy that stood beside the sweep.';
COMMENT ON COLUMN variants.swept IS 'The values that were tried in it, by name, as JSON.';
COMMENT ON COLUMN variants.orders IS 'Orders that were decided in the session, denied ones included.';
COMMENT ON COLUMN variants.turnover IS 'Dollars bought and sold in the session.';
COMMENT ON COLUMN variants.details IS 'kept, or none: then nobody can say from the tables what it held, and only how it did.';
