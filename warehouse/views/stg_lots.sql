-- Executions laid out for FIFO: per account, mode, strategy and symbol every buy and every sell covers
-- a stretch [starts, ends) of the quantity that ever went in and out, in units after all splits.
-- A sale of what these executions never bought (held before they began) covers no more than was bought.
CREATE OR REPLACE VIEW stg_lots AS
WITH moves AS (
    SELECT account, mode, strategy, symbol, session_date,
           sum(CASE side WHEN 'buy' THEN qty - coin_fee ELSE -qty END) AS qty, 0 AS added
    FROM stg_fills
    WHERE (strategy, symbol) IN (SELECT (strategy, symbol) FROM activities WHERE kind = 'split')
    GROUP BY ALL
    UNION ALL
    SELECT s.account, s.mode, a.strategy, a.symbol, a.session_date, 0, sum(a.qty)
    FROM activities AS a JOIN sessions AS s USING (session_id)
    WHERE a.kind = 'split' AND a.qty IS NOT NULL GROUP BY ALL
), dated AS (
    SELECT account, mode, strategy, symbol, session_date, sum(added) AS added, sum(qty) AS qty
    FROM moves GROUP BY ALL
), held AS (
    SELECT *, coalesce(sum(qty + added) OVER (
        PARTITION BY account, mode, strategy, symbol ORDER BY session_date
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM dated
), splits AS ( -- a split happens before its date's first execution
    SELECT account, mode, strategy, symbol,
           list({'day': session_date, 'ratio': (before + added)::DOUBLE / before::DOUBLE}) AS all_splits
    FROM held WHERE added <> 0 AND before > 0 GROUP BY ALL
), scaled AS (
    SELECT f.*, CASE WHEN s.all_splits IS NULL THEN 1 ELSE list_reduce(list_transform(list_filter(
               s.all_splits, lambda x: x.day > f.session_date), lambda x: x.ratio),
               lambda x, y: x * y, 1.0) END::DOUBLE AS factor
    FROM stg_fills AS f LEFT JOIN splits AS s USING (account, mode, strategy, symbol)
), sized AS (
    SELECT *, CASE factor WHEN 1 THEN qty - coin_fee
              ELSE ((qty - coin_fee)::DOUBLE * factor)::DECIMAL(38, 18) END AS size
    FROM scaled
), balanced AS ( -- how much more was sold than bought, at the worst moment so far
    SELECT *, greatest(0, -min(balance) OVER so_far) AS oversold
    FROM (SELECT *, sum(CASE side WHEN 'buy' THEN size ELSE -size END) OVER so_far AS balance
          FROM sized
          WINDOW so_far AS (PARTITION BY account, mode, strategy, symbol
                            ORDER BY filled_at, side, execution_id ROWS UNBOUNDED PRECEDING))
    WINDOW so_far AS (PARTITION BY account, mode, strategy, symbol
                      ORDER BY filled_at, side, execution_id ROWS UNBOUNDED PRECEDING)
), matched AS (
    SELECT *, size - (oversold - coalesce(lag(oversold) OVER (
        PARTITION BY account, mode, strategy, symbol
        ORDER BY filled_at, side, execution_id), 0)) AS covered
    FROM balanced
)
SELECT * EXCLUDE (balance, oversold, covered), ends - covered AS starts, ends
FROM (SELECT *, sum(covered) OVER (
          PARTITION BY account, mode, strategy, symbol, side
          ORDER BY filled_at, execution_id ROWS UNBOUNDED PRECEDING) AS ends
      FROM matched)
WHERE covered > 0;
COMMENT ON VIEW stg_lots IS 'Executions as stretches of quantity for FIFO matching.';
