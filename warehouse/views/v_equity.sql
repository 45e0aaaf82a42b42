CREATE OR REPLACE VIEW v_equity AS
SELECT s.account, s.mode, s.session_date, session_id, e.strategy, e.ts, e.cash, e.market_value,
       e.equity, e.peak, e.drawdown
FROM equity_curve AS e JOIN sessions AS s USING (session_id);
COMMENT ON VIEW v_equity IS 'Equity minute by minute within each session, with its peak so far and the fall from it.';
COMMENT ON COLUMN v_equity.peak IS 'Highest equity of the session so far, moved with the transfers since, dollars.';
COMMENT ON COLUMN v_equity.drawdown IS 'Fall from the peak as a fraction >= 0: 0.025 is 2.5 %.';
COMMENT ON COLUMN v_equity.cash IS 'Cash of the strategy at that minute, dollars.';
COMMENT ON COLUMN v_equity.market_value IS 'All its positions at the last closes, dollars.';
