-- Strategies that failed: from then on they opened nothing more that day, so that it says less of them.

CREATE TABLE faults (
    session_id TEXT NOT NULL,
    strategy   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (session_id, strategy)
);

COMMENT ON TABLE faults IS 'The strategies that raised, hung or died in a session; such a one opens nothing more that day.';
COMMENT ON COLUMN faults.session_id IS 'The session.';
COMMENT ON COLUMN faults.strategy IS 'The strategy that failed.';
COMMENT ON COLUMN faults.reason IS 'How, at which bar, and in which line of its file.';
