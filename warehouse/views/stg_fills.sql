-- Executions with account and mode, net of busts: a busted execution and its bust cancel out.
-- coin_fee is the quantity that a fee taken in coin kept back from a buy, to 9 decimals.
CREATE OR REPLACE VIEW stg_fills AS
WITH busts AS (
    SELECT session_id, client_order_id, symbol, side, price, -qty AS qty, count(*) AS busted
    FROM fills WHERE qty < 0 GROUP BY ALL
), numbered AS (
    SELECT f.*, coalesce(b.busted, 0) AS busted,
           CASE WHEN b.busted IS NULL THEN 1 ELSE row_number() OVER (
               PARTITION BY f.session_id, f.client_order_id, f.symbol, f.side, f.price, f.qty
               ORDER BY f.filled_at, f.execution_id) END AS nth
    FROM fills AS f
    LEFT JOIN busts AS b
      ON b.session_id = f.session_id AND b.client_order_id IS NOT DISTINCT FROM f.client_order_id
     AND b.symbol = f.symbol AND b.side = f.side AND b.price = f.price AND b.qty = f.qty
    WHERE f.qty > 0
)
SELECT s.account, s.mode, s.opened_at, n.* EXCLUDE (busted, nth),
       CASE WHEN n.side = 'buy' AND n.fee <> 0 AND contains(n.symbol, '/')
            THEN round((n.fee::DOUBLE / n.price::DOUBLE)::DECIMAL(38, 18), 9)::DECIMAL(38, 18)
            ELSE 0 END AS coin_fee
FROM numbered AS n JOIN sessions AS s USING (session_id)
WHERE n.nth > n.busted;
COMMENT ON VIEW stg_fills IS 'Executions with account and mode; a busted execution and its bust are left out.';
COMMENT ON COLUMN stg_fills.coin_fee IS 'Quantity that a fee taken in coin kept back from a buy.';
