-- What a session's next start booked moved the last equity row of every book to that time, also of
-- books in which nothing had changed: the next load takes those sessions from their journals again.

UPDATE loads SET mark = '' WHERE session_id IN (
    SELECT session_id FROM equity JOIN sessions USING (session_id) WHERE ts > closed_at
);
