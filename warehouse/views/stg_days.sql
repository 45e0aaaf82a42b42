-- One row per strategy and session, with the account and mode that must never be summed across. Of a
-- strategy that moved within a day, the session that it was in first may have opened last.
CREATE OR REPLACE VIEW stg_days AS
WITH tickers AS (
    SELECT session_id, strategy,
           CASE WHEN len(tickers) > 0
                THEN len(list_filter(tickers, lambda t: NOT contains(t, '/'))) = 0 END AS is_crypto
    FROM strategies
), sessions_kind AS (
    SELECT session_id, bool_and(is_crypto) AS is_crypto
    FROM tickers WHERE strategy <> 'UNASSIGNED' GROUP BY session_id
)
SELECT s.account, s.mode, s.coordinator, s.status, s.opened_at, p.*,
       coalesce(j.joined_at, s.opened_at) AS began_at,
       CASE WHEN p.strategy = 'UNASSIGNED' THEN coalesce(k.is_crypto, false)
            ELSE t.is_crypto END AS is_crypto
FROM pnl_daily AS p
JOIN sessions AS s USING (session_id)
LEFT JOIN joined AS j USING (session_id, strategy)
LEFT JOIN tickers AS t USING (session_id, strategy)
LEFT JOIN sessions_kind AS k USING (session_id);
COMMENT ON VIEW stg_days IS 'pnl_daily with account, mode and whether the strategy trades crypto only.';
COMMENT ON COLUMN stg_days.began_at IS 'When the strategy was in the session first.';
COMMENT ON COLUMN stg_days.is_crypto IS 'Whether the strategy trades crypto and nothing else; NULL where its tickers are not known.';
COMMENT ON COLUMN stg_days.status IS 'Status of the session; incomplete: rows of it are in quarantine.';
