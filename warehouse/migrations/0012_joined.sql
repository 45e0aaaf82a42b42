-- A strategy that moves within a day is in the other coordinator's session from then on, though that
-- may have opened before the one that it left. The next load takes the sessions from their journals
-- again between which a strategy moved: its days there end and begin where it moved, and its lots
-- are matched in that order.

CREATE TABLE joined (
    session_id TEXT NOT NULL,
    strategy   TEXT NOT NULL,
    joined_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (session_id, strategy)
);
COMMENT ON TABLE joined IS 'Strategies that came into a session after it had opened; kept by the loader from equity.';
COMMENT ON COLUMN joined.session_id IS 'Session.';
COMMENT ON COLUMN joined.strategy IS 'Who came.';
COMMENT ON COLUMN joined.joined_at IS 'When it came: time of its first equity row.';

INSERT INTO joined
SELECT session_id, strategy, min(ts)
FROM equity JOIN sessions USING (session_id)
GROUP BY session_id, strategy, opened_at HAVING min(ts) > opened_at;

UPDATE loads SET mark = '' WHERE session_id IN (
    SELECT unnest([session_id, origin]) FROM (
        SELECT session_id, coordinator, lag(session_id) OVER before AS origin,
               lag(coordinator) OVER before AS left_by
        FROM strategies JOIN sessions USING (session_id)
        LEFT JOIN joined USING (session_id, strategy)
        WHERE strategy <> 'UNASSIGNED'
        WINDOW before AS (PARTITION BY account, mode, strategy
                          ORDER BY coalesce(joined_at, opened_at), opened_at, session_id)
    ) WHERE left_by <> coordinator
);
