-- Executions with account and mode, net of busts: a busted execution and its bust cancel out.
-- coin_fee is the quantity that a fee taken in coin kept back from a buy, to 9 decimals: `about` is a
-- float's, and of millions of coins a little off. A correction has the time of the bust that it comes
-- with, and was made with the first one that was busted. What has no order's id is told apart by
-- ticker and side, which all executions of an order share.
CREATE OR REPLACE VIEW stg_fills AS
WITH busts AS (
    SELECT session_id, client_order_id, symbol, side, price, -qty AS qty, count(*) AS busted
    FROM fills WHERE qty < 0 GROUP BY ALL
), undone AS (
    SELECT f.session_id, f.execution_id, f.client_order_id, f.symbol, f.side, f.filled_at
    FROM fills AS f JOIN busts AS b
      ON b.session_id = f.session_id AND b.client_order_id IS NOT DISTINCT FROM f.client_order_id
     AND b.symbol = f.symbol AND b.side = f.side AND b.price = f.price AND b.qty = f.qty
    QUALIFY row_number() OVER (
        PARTITION BY f.session_id, f.client_order_id, f.symbol, f.side, f.price, f.qty
        ORDER BY f.filled_at, f.execution_id) <= b.busted
), corrections AS (
    SELECT b.session_id, b.client_order_id, b.symbol, b.side, b.filled_at,
           min(u.filled_at) AS made_at
    FROM fills AS b JOIN undone AS u
      ON u.session_id = b.session_id AND u.client_order_id IS NOT DISTINCT FROM b.client_order_id
     AND u.symbol = b.symbol AND u.side = b.side
    WHERE b.qty < 0 GROUP BY ALL
)
SELECT s.account, s.mode, s.opened_at, f.* EXCLUDE (about),
       f.about + CASE WHEN f.about = 0 THEN 0 ELSE round(
           ((f.fee - money_product(f.about, f.price))::DOUBLE / f.price::DOUBLE)::DECIMAL(38, 18),
           9) END::DECIMAL(38, 18) AS coin_fee,
       least(f.filled_at, c.made_at) AS made_at
FROM (SELECT *, CASE WHEN side = 'buy' AND fee <> 0 AND contains(symbol, '/')
                     THEN round((fee::DOUBLE / price::DOUBLE)::DECIMAL(38, 18), 9)
                     ELSE 0 END::DECIMAL(38, 18) AS about
      FROM fills) AS f
JOIN sessions AS s USING (session_id)
LEFT JOIN undone AS u -- not ANTI JOIN, through which the planner pushes no session id
  ON u.session_id = f.session_id AND u.execution_id = f.execution_id
LEFT JOIN corrections AS c
  ON c.session_id = f.session_id AND c.client_order_id IS NOT DISTINCT FROM f.client_order_id
 AND c.symbol = f.symbol AND c.side = f.side AND c.filled_at = f.filled_at
WHERE f.qty > 0 AND u.execution_id IS NULL;
COMMENT ON VIEW stg_fills IS 'Executions with account and mode; a busted execution and its bust are left out.';
COMMENT ON COLUMN stg_fills.coin_fee IS 'Quantity that a fee taken in coin kept back from a buy.';
COMMENT ON COLUMN stg_fills.qty IS 'Gross quantity, before a fee taken in coin.';
COMMENT ON COLUMN stg_fills.fee IS 'Fee in dollars; a fee taken in coin is valued at this price.';
COMMENT ON COLUMN stg_fills.made_at IS 'When it was executed; of a correction, when that which it corrects was.';
