CREATE OR REPLACE VIEW v_slippage AS
SELECT s.account, s.mode, f.session_date, session_id, f.strategy, f.symbol, f.side,
       f.client_order_id, f.execution_id, f.qty, f.decision_price, f.price, f.slippage_bps,
       f.slippage_cost, f.decided_at, f.filled_at
FROM slippages AS f JOIN sessions AS s USING (session_id);
COMMENT ON VIEW v_slippage IS 'Each execution against the close of the bar that decided it. A busted execution and its bust are left out; orders by hand have no decision and are not here.';
COMMENT ON COLUMN v_slippage.slippage_bps IS 'Basis points of decision_price, signed: positive costs (bought dearer, sold cheaper).';
COMMENT ON COLUMN v_slippage.slippage_cost IS 'The same in dollars.';
