-- A split that was booked after its session has a date of its own, and changes the lots that were
-- left: the next load takes the sessions that have a split from their journals again.

UPDATE loads SET mark = '' WHERE session_id IN (
    SELECT session_id FROM activities WHERE kind = 'split'
);
