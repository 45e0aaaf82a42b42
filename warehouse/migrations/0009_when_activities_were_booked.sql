-- Capital that comes or goes within a session is no gain and no fall, and shares that leave are those
-- of then. The next load takes the sessions in which some did from their journals again; lots of
-- shares that had left go with them.

ALTER TABLE activities ADD COLUMN booked_at TIMESTAMPTZ;
COMMENT ON COLUMN activities.booked_at IS 'When it was booked; NULL in a session that was loaded before this was kept.';
COMMENT ON TABLE equity IS 'Equity of each strategy, a row per minute in which cash or a held mark changed, one at each transfer, and the first and last.';
COMMENT ON COLUMN equity.ts IS 'End of the minute, or time of the transfer.';
COMMENT ON COLUMN pnl_daily.max_drawdown IS 'Largest fall of equity from its peak within the session, as a fraction >= 0. The peak moves with transfers.';
COMMENT ON COLUMN equity_curve.peak IS 'Highest equity of the session so far, moved with the transfers since, dollars.';

UPDATE loads SET mark = '' WHERE session_id IN (
    SELECT session_id FROM activities JOIN pnl_daily USING (session_id, strategy)
    WHERE kind = 'transfer' AND (allocated_by IS DISTINCT FROM 'funding' OR max_drawdown > 0)
);
