-- What was sold short and bought back within one session left no negative position. Only a human
-- sells short: the next load takes the sessions in which one sold from their journals again.

UPDATE loads SET mark = '' WHERE session_id IN (
    SELECT session_id FROM fills WHERE strategy = 'UNASSIGNED' AND side = 'sell'
);
