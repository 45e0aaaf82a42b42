-- The slippage of executions that stand: a busted one and its bust counted as two.

DELETE FROM slippages
WHERE qty < 0 OR (session_id, execution_id) IN (
    SELECT (f.session_id, f.execution_id)
    FROM fills AS f JOIN (
        SELECT session_id, client_order_id, symbol, side, price, -qty AS qty, count(*) AS busted
        FROM fills WHERE qty < 0 GROUP BY ALL
    ) AS b
      ON b.session_id = f.session_id AND b.client_order_id IS NOT DISTINCT FROM f.client_order_id
     AND b.symbol = f.symbol AND b.side = f.side AND b.price = f.price AND b.qty = f.qty
    QUALIFY row_number() OVER (
        PARTITION BY f.session_id, f.client_order_id, f.symbol, f.side, f.price, f.qty
        ORDER BY f.filled_at, f.execution_id) <= b.busted
);

COMMENT ON COLUMN slippages.qty IS 'Quantity.';
COMMENT ON COLUMN slippages.slippage_cost IS 'The same in dollars.';
