CREATE OR REPLACE VIEW v_round_trips AS
SELECT s.account, s.mode, s.session_date, session_id, r.strategy, r.symbol, r.qty, r.entry_price,
       r.exit_price, r.entered_at, r.exited_at, r.gross_pnl, r.fees, r.gross_pnl - r.fees AS net_pnl,
       (r.gross_pnl - r.fees)::DOUBLE / (r.qty::DOUBLE * r.entry_price::DOUBLE) AS return_pct,
       r.entry_execution_id, r.exit_execution_id
FROM round_trips AS r JOIN sessions AS s USING (session_id);
COMMENT ON VIEW v_round_trips IS 'Every quantity bought and sold again, first in first out, a row per pair of executions; also what was sold short and bought back. gross_pnl - cost in open_lots is what was received less what was paid, as realised P&L - cost of the positions is: once flat, gross_pnl sums to the realised P&L at average cost without dividends and interest, except of shares that came or left without an execution. A split counts from before the first execution of its date.';
COMMENT ON COLUMN v_round_trips.session_id IS 'Session of the later of both executions.';
COMMENT ON COLUMN v_round_trips.qty IS 'Quantity, in units of the exit (splits in between are taken into account).';
COMMENT ON COLUMN v_round_trips.entry_price IS 'Price paid, in units of the exit, dollars.';
COMMENT ON COLUMN v_round_trips.gross_pnl IS 'Gain or loss before fees, dollars.';
COMMENT ON COLUMN v_round_trips.fees IS 'Share of both executions'' fees, dollars.';
COMMENT ON COLUMN v_round_trips.net_pnl IS 'gross_pnl - fees, dollars.';
COMMENT ON COLUMN v_round_trips.return_pct IS 'net_pnl / cost as a fraction: 0.025 is 2.5 %.';
COMMENT ON COLUMN v_round_trips.entered_at IS 'When it was bought; of a correction, when that was which it corrects. Of what was sold short it is the later time.';
COMMENT ON COLUMN v_round_trips.exited_at IS 'When it was sold; of a correction, when that was which it corrects.';
COMMENT ON COLUMN v_round_trips.exit_price IS 'Price received, dollars.';
COMMENT ON COLUMN v_round_trips.entry_execution_id IS 'The execution that bought it.';
COMMENT ON COLUMN v_round_trips.exit_execution_id IS 'The execution that sold it.';
