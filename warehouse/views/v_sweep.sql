-- A variant may first appear in a later session of a longer run; its newest row describes it.
CREATE OR REPLACE VIEW v_sweep AS
WITH newest AS (
    SELECT s.account, s.mode, v.strategy, arg_max(v.sweep_of, s.opened_at) AS sweep_of,
           arg_max(v.swept, s.opened_at) AS swept, sum(v.orders) AS orders,
           count(*) FILTER (v.details = 'kept') AS days_in_detail
    FROM variants AS v JOIN sessions AS s USING (session_id) GROUP BY ALL
)
SELECT p.account, p.mode,
       row_number() OVER (PARTITION BY p.account, p.mode ORDER BY p.net_pnl DESC, p.strategy)
           AS place,
       p.strategy, t.sweep_of, t.swept, p.days, p.start_equity, p.end_equity, p.net_pnl,
       p.total_return, p.annualised_return, p.volatility, p.sharpe, p.sortino, p.max_drawdown,
       p.max_intraday_drawdown, p.win_rate, p.profit_factor, p.turnover, p.fees, t.orders, p.fills,
       t.days_in_detail
FROM v_performance AS p JOIN newest AS t USING (account, mode, strategy);
COMMENT ON VIEW v_sweep IS 'How each variant of a sweep did, the best net P&L first; one row per account and variant. Other columns are v_performance''s.';
COMMENT ON COLUMN v_sweep.place IS 'Its place by net P&L among the variants of the sweep, from 1.';
COMMENT ON COLUMN v_sweep.sweep_of IS 'The configuration''s entry whose sweep made it; NULL for a strategy that stood beside the sweep.';
COMMENT ON COLUMN v_sweep.swept IS 'The values that were tried in it, as JSON: swept->>''short_window''.';
COMMENT ON COLUMN v_sweep.orders IS 'Orders that were decided, denied ones included.';
COMMENT ON COLUMN v_sweep.days_in_detail IS 'Sessions of which its orders, fills, positions and equity are kept.';
COMMENT ON COLUMN v_sweep.days IS 'Number of days: sessions of one date are one.';
COMMENT ON COLUMN v_sweep.turnover IS 'Dollars bought and sold / mean capital at the start of the days.';
COMMENT ON COLUMN v_sweep.total_return IS 'Compounded daily returns, as a fraction; transfers do not distort it.';
COMMENT ON COLUMN v_sweep.annualised_return IS 'total_return per year of 252 days, 365 for a variant that trades crypto only; a fraction.';
COMMENT ON COLUMN v_sweep.volatility IS 'Standard deviation of daily returns, annualised.';
COMMENT ON COLUMN v_sweep.sharpe IS 'Mean over standard deviation of daily returns, annualised; no risk-free rate. NULL without variation.';
COMMENT ON COLUMN v_sweep.sortino IS 'Mean over downside deviation of daily returns, annualised. NULL without a losing day.';
COMMENT ON COLUMN v_sweep.max_drawdown IS 'Largest fall of the compounded daily returns from their peak, as a fraction >= 0.';
COMMENT ON COLUMN v_sweep.max_intraday_drawdown IS 'Largest fall from a peak within one session, as a fraction >= 0.';
COMMENT ON COLUMN v_sweep.win_rate IS 'Winning days / days that won or lost. Per round trip: see v_round_trips.';
COMMENT ON COLUMN v_sweep.profit_factor IS 'Sum of winning days'' returns / sum of losing days'' returns. NULL without a losing day.';
COMMENT ON COLUMN v_sweep.strategy IS 'The variant, by the name of its book.';
COMMENT ON COLUMN v_sweep.start_equity IS 'Equity before the first session, dollars.';
COMMENT ON COLUMN v_sweep.end_equity IS 'Equity after the last session, dollars.';
COMMENT ON COLUMN v_sweep.net_pnl IS 'Dollars gained or lost after fees, over all sessions.';
COMMENT ON COLUMN v_sweep.fees IS 'Fees over all sessions, dollars; positive costs.';
COMMENT ON COLUMN v_sweep.fills IS 'Number of executions over all sessions.';
