-- Both sides' stretches are cut at every border of either: each piece has one entry and one exit.
CREATE OR REPLACE VIEW v_round_trips AS
WITH borders AS (
    SELECT account, mode, strategy, symbol, starts AS border, ends,
           CASE side WHEN 'buy' THEN l END AS entry, CASE side WHEN 'sell' THEN l END AS exit
    FROM stg_lots AS l
), pieces AS (
    SELECT account, mode, strategy, symbol, border,
           last_value(entry IGNORE NULLS) OVER so_far AS entry,
           last_value(exit IGNORE NULLS) OVER so_far AS exit,
           lead(border) OVER so_far AS next_border
    FROM borders
    WINDOW so_far AS (PARTITION BY account, mode, strategy, symbol ORDER BY border
                      ROWS UNBOUNDED PRECEDING)
), closed AS (
    SELECT *, least(entry.ends, exit.ends, coalesce(next_border, entry.ends)) - border AS size
    FROM pieces WHERE entry IS NOT NULL AND exit IS NOT NULL
), priced AS (
    SELECT account, mode, strategy, symbol, entry, exit, border, size,
           CASE exit.factor WHEN 1 THEN size ELSE (size::DOUBLE / exit.factor)::DECIMAL(38, 18) END
               AS qty,
           CASE entry.factor WHEN exit.factor THEN entry.price
               ELSE (entry.price::DOUBLE * exit.factor / entry.factor)::DECIMAL(38, 18) END
               AS entry_price
    FROM closed WHERE size > 0
), feed AS (
    SELECT *, money_product(qty, exit.price - entry_price) AS gross_pnl,
           fee_share(entry.fee, entry.size, border - entry.starts, border - entry.starts + size)
           + fee_share(exit.fee, exit.size, border - exit.starts, border - exit.starts + size)
               AS fees
    FROM priced
)
SELECT account, mode, strategy, symbol, qty, entry_price, exit.price AS exit_price,
       entry.filled_at AS entered_at, exit.filled_at AS exited_at,
       entry.session_date AS entry_date, exit.session_date AS exit_date,
       gross_pnl, fees, gross_pnl - fees AS net_pnl,
       (gross_pnl - fees)::DOUBLE / money_product(qty, entry_price)::DOUBLE AS return_pct,
       entry.execution_id AS entry_execution_id, exit.execution_id AS exit_execution_id,
       exit.session_id AS session_id
FROM feed;
COMMENT ON VIEW v_round_trips IS 'Every quantity bought and sold again, first in first out, a row per pair of executions. Once flat, gross_pnl sums to the realised P&L at average cost.';
COMMENT ON COLUMN v_round_trips.qty IS 'Quantity, in units of the exit (splits in between are taken into account).';
COMMENT ON COLUMN v_round_trips.entry_price IS 'Price paid, in units of the exit, dollars.';
COMMENT ON COLUMN v_round_trips.gross_pnl IS 'Gain or loss before fees, dollars.';
COMMENT ON COLUMN v_round_trips.fees IS 'Share of both executions'' fees, dollars.';
COMMENT ON COLUMN v_round_trips.net_pnl IS 'gross_pnl - fees, dollars.';
COMMENT ON COLUMN v_round_trips.return_pct IS 'net_pnl / cost as a fraction: 0.025 is 2.5 %.';
COMMENT ON COLUMN v_round_trips.session_id IS 'Session of the exit.';
