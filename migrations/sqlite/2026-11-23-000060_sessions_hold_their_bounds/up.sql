-- When the last access token of a session expires, raised whenever one is issued. NULL: a version that did not note it has
-- issued tokens, each of which lives a day at the most (token.access_ttl_seconds).
ALTER TABLE sessions ADD COLUMN tokens_expire_at BIGINT;

-- How long the tokens live that a key has signed: raised before a process signs with it. NULL: not noted, a day at the most.
ALTER TABLE signing_keys ADD COLUMN longest_ttl_seconds BIGINT;

-- The sessions of an account, those that have not been ended apart. (SQLite does not prefer an index of these alone.)
DROP INDEX sessions_user_id;
CREATE INDEX sessions_live ON sessions (user_id, revoked_at, id);

-- Whoever disables or deletes an account, or takes its admin rights away, by a route or by hand: its sessions end. So do
-- those of a client that is removed. A revocation outlives every access token of its session by a minute.
DROP TRIGGER users_lose_rights;
DROP TRIGGER users_go;
CREATE TRIGGER users_lose_rights AFTER UPDATE OF is_active, is_admin ON users
WHEN (OLD.is_active AND NOT NEW.is_active) OR (OLD.is_admin AND NOT NEW.is_admin)
BEGIN
    INSERT INTO revocations (session_id, revoked_at, expires_at)
        SELECT id, unixepoch('now') * 1000, COALESCE(tokens_expire_at, last_used_at + 86400000) + 60000
        FROM sessions WHERE user_id = OLD.id AND revoked_at IS NULL;
    UPDATE sessions SET revoked_at = unixepoch('now') * 1000 WHERE user_id = OLD.id AND revoked_at IS NULL;
END;
-- What a session tells of its user goes with the account.
CREATE TRIGGER users_go AFTER DELETE ON users
BEGIN
    INSERT INTO revocations (session_id, revoked_at, expires_at)
        SELECT id, unixepoch('now') * 1000, COALESCE(tokens_expire_at, last_used_at + 86400000) + 60000
        FROM sessions WHERE user_id = OLD.id AND revoked_at IS NULL;
    UPDATE sessions SET revoked_at = unixepoch('now') * 1000 WHERE user_id = OLD.id AND revoked_at IS NULL;
    UPDATE sessions SET user_agent = NULL, ip = NULL WHERE user_id = OLD.id;
END;
CREATE TRIGGER clients_go AFTER DELETE ON clients
BEGIN
    INSERT INTO revocations (session_id, revoked_at, expires_at)
        SELECT id, unixepoch('now') * 1000, COALESCE(tokens_expire_at, last_used_at + 86400000) + 60000
        FROM sessions WHERE client_id = OLD.id AND revoked_at IS NULL;
    UPDATE sessions SET revoked_at = unixepoch('now') * 1000 WHERE client_id = OLD.id AND revoked_at IS NULL;
END;
UPDATE sessions SET user_agent = NULL, ip = NULL
WHERE (user_agent IS NOT NULL OR ip IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = sessions.user_id);
