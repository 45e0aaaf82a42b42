CREATE OR REPLACE VIEW v_pnl_history AS
SELECT account, mode, coordinator, strategy, session_date, session_id, status,
       start_equity, end_equity, transfers, realized_pnl, unrealized_change, fees, net_pnl,
       return_pct, fills, max_drawdown,
       sum(net_pnl) OVER history AS cumulative_net_pnl
FROM stg_days
WINDOW history AS (
    PARTITION BY account, mode, strategy ORDER BY session_date, began_at, session_id
    ROWS UNBOUNDED PRECEDING);
COMMENT ON VIEW v_pnl_history IS 'Profit and loss of each strategy, day by day; one row per account, mode, strategy and session.';
COMMENT ON COLUMN v_pnl_history.cumulative_net_pnl IS 'Dollars gained since the history began, this day included.';
COMMENT ON COLUMN v_pnl_history.status IS 'Status of the session; incomplete: rows of it are in quarantine.';
