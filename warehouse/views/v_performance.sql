-- Returns are daily: net_pnl / (start_equity + transfers). A year has 252 days, 365 for crypto only.
-- Sessions of one date, as of a strategy that moved within the day, make one day.
CREATE OR REPLACE VIEW v_performance AS
WITH sessions_of AS (
    SELECT *, start_equity + transfers AS capital,
           coalesce(return_pct, 0) AS r,
           row_number() OVER history AS nth
    FROM stg_days
    WINDOW history AS (PARTITION BY account, mode, strategy
                       ORDER BY session_date, began_at, session_id)
), grown AS (
    SELECT *, product(1 + r) OVER (PARTITION BY account, mode, strategy ORDER BY nth
                                   ROWS UNBOUNDED PRECEDING) AS growth
    FROM sessions_of
), days AS (
    SELECT account, mode, strategy, session_date,
           CASE count(*) WHEN 1 THEN any_value(r) ELSE product(1 + r) - 1 END AS r,
           arg_min(capital::DOUBLE, nth) AS capital, arg_max(growth, nth) AS growth
    FROM grown GROUP BY account, mode, strategy, session_date
), fallen AS (
    SELECT *, 1 - growth / greatest(1, max(growth) OVER (
        PARTITION BY account, mode, strategy ORDER BY session_date
        ROWS UNBOUNDED PRECEDING)) AS fall
    FROM days
), traded AS (
    SELECT s.account, s.mode, f.strategy, sum(f.notional) AS notional
    FROM (SELECT session_id, strategy, sum(qty::DOUBLE * price::DOUBLE) AS notional
          FROM fills GROUP BY ALL
          UNION ALL
          SELECT session_id, strategy, turnover::DOUBLE FROM variants WHERE details = 'none') AS f
    JOIN sessions AS s USING (session_id) GROUP BY ALL
), returns AS (
    SELECT account, mode, strategy, count(*) AS days, avg(r) AS mean, stddev_samp(r) AS deviation,
           sqrt(sum(least(r, 0) * least(r, 0)) / count(*)) AS downside,
           count(*) FILTER (r > 0) AS winning_days, count(*) FILTER (r < 0) AS losing_days,
           sum(r) FILTER (r > 0) AS won, -sum(r) FILTER (r < 0) AS lost,
           avg(capital) AS mean_capital, max(fall) AS max_drawdown
    FROM fallen GROUP BY account, mode, strategy
), totals AS (
    SELECT account, mode, strategy, min(session_date) AS first_date, max(session_date) AS last_date,
           CASE WHEN bool_and(is_crypto) THEN 365 ELSE 252 END AS days_a_year,
           arg_min(start_equity, nth) AS start_equity, arg_max(end_equity, nth) AS end_equity,
           sum(transfers) AS transfers, sum(net_pnl) AS net_pnl, sum(fees) AS fees,
           sum(fills) AS fills, arg_max(growth, nth) AS growth,
           max(max_drawdown) AS max_intraday_drawdown
    FROM grown GROUP BY account, mode, strategy
)
SELECT t.account, t.mode, t.strategy, first_date, last_date, days, start_equity, end_equity,
       transfers, net_pnl, growth - 1 AS total_return,
       CASE WHEN growth > 0 THEN pow(growth, days_a_year / days) - 1 ELSE -1 END
           AS annualised_return,
       deviation * sqrt(days_a_year) AS volatility,
       mean / nullif(deviation, 0) * sqrt(days_a_year) AS sharpe,
       mean / nullif(downside, 0) * sqrt(days_a_year) AS sortino,
       d.max_drawdown, max_intraday_drawdown,
       winning_days / nullif(winning_days + losing_days, 0) AS win_rate,
       coalesce(won, 0) / lost AS profit_factor,
       coalesce(n.notional, 0) / nullif(mean_capital, 0) AS turnover,
       fees, fills, days_a_year
FROM totals AS t JOIN returns AS d USING (account, mode, strategy)
LEFT JOIN traded AS n USING (account, mode, strategy);
COMMENT ON VIEW v_performance IS 'How each strategy did over its whole history; one row per account, mode and strategy, UNASSIGNED in a row of its own.';
COMMENT ON COLUMN v_performance.days IS 'Number of days: sessions of one date are one.';
COMMENT ON COLUMN v_performance.transfers IS 'Dollars moved in less dollars moved out, over the history.';
COMMENT ON COLUMN v_performance.net_pnl IS 'Dollars gained or lost after fees.';
COMMENT ON COLUMN v_performance.total_return IS 'Compounded daily returns, as a fraction; transfers do not distort it.';
COMMENT ON COLUMN v_performance.annualised_return IS 'total_return per year of days_a_year days, as a fraction.';
COMMENT ON COLUMN v_performance.volatility IS 'Standard deviation of daily returns, annualised.';
COMMENT ON COLUMN v_performance.sharpe IS 'Mean over standard deviation of daily returns, annualised; no risk-free rate. NULL without variation.';
COMMENT ON COLUMN v_performance.sortino IS 'Mean over downside deviation of daily returns, annualised. NULL without a losing day.';
COMMENT ON COLUMN v_performance.max_drawdown IS 'Largest fall of the compounded daily returns from their peak, as a fraction >= 0.';
COMMENT ON COLUMN v_performance.max_intraday_drawdown IS 'Largest fall from a peak within one session, as a fraction >= 0.';
COMMENT ON COLUMN v_performance.win_rate IS 'Winning days / days that won or lost. Per round trip: see v_round_trips.';
COMMENT ON COLUMN v_performance.profit_factor IS 'Sum of winning days'' returns / sum of losing days'' returns. NULL without a losing day.';
COMMENT ON COLUMN v_performance.turnover IS 'Dollars bought and sold / mean capital at the start of the days.';
COMMENT ON COLUMN v_performance.days_a_year IS '365 for a strategy that trades crypto only, else 252.';
COMMENT ON COLUMN v_performance.first_date IS 'Date of the first session.';
COMMENT ON COLUMN v_performance.last_date IS 'Date of the last session.';
COMMENT ON COLUMN v_performance.start_equity IS 'Equity before the first session, dollars.';
COMMENT ON COLUMN v_performance.end_equity IS 'Equity after the last session, dollars.';
COMMENT ON COLUMN v_performance.fees IS 'Fees over the history, dollars; positive costs. They are taken off net_pnl already.';
COMMENT ON COLUMN v_performance.fills IS 'Number of executions over the history.';
