-- A lot keeps its cost, exact after splits; what was sold beyond all that was held is a lot, too. The
-- next load takes the sessions from their journals again in which an execution was taken back, or
-- in which a position changed without one or was short.

ALTER TABLE open_lots ADD COLUMN cost DECIMAL(38, 18);
UPDATE open_lots SET cost = money_product(qty, price);
COMMENT ON TABLE open_lots IS 'What was bought and not yet sold, or sold short and not yet bought back, at the end of each session, oldest first; kept by the loader for the next session''s matching.';
COMMENT ON COLUMN open_lots.qty IS 'What is left of it, net of a fee taken in coin; negative if it was sold short.';
COMMENT ON COLUMN open_lots.cost IS 'What it cost in all, dollars; negative if it was sold short.';

UPDATE loads SET mark = '' WHERE session_id IN (
    SELECT session_id FROM fills WHERE qty < 0
    UNION SELECT session_id FROM activities WHERE qty IS NOT NULL
    UNION SELECT session_id FROM positions WHERE qty < 0
);
