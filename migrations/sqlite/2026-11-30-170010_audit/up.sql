-- The audit trail: one row for each event. Rows are only added, and deleted when they are old. They outlive the accounts,
-- sessions and clients that they name, so there are no foreign keys.
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    user_id BIGINT,                     -- the account that it happened to
    actor_id BIGINT,                    -- the account that did it; NULL: unknown, or not an account
    ip TEXT,
    user_agent TEXT,
    client_id TEXT,
    session_id BIGINT,
    request_id TEXT,
    details TEXT NOT NULL               -- a JSON object
);
CREATE INDEX events_user_id ON events (user_id, id);
CREATE INDEX events_kind ON events (kind, id);
CREATE INDEX events_at ON events (at);

-- What the events of an account tell of its owner goes with the account. Events with another actor stay whole.
CREATE TRIGGER users_leave_events AFTER DELETE ON users
BEGIN
    UPDATE events SET ip = NULL, user_agent = NULL, details = '{}'
    WHERE user_id = OLD.id AND (actor_id IS NULL OR actor_id = OLD.id);
END;
