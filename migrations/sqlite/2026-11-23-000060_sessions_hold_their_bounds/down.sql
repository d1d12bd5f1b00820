DROP TRIGGER clients_go;
DROP TRIGGER users_go;
DROP TRIGGER users_lose_rights;
CREATE TRIGGER users_lose_rights AFTER UPDATE OF is_active, is_admin ON users
WHEN (OLD.is_active AND NOT NEW.is_active) OR (OLD.is_admin AND NOT NEW.is_admin)
BEGIN
    INSERT INTO revocations (session_id, revoked_at, expires_at)
        SELECT id, unixepoch('now') * 1000, unixepoch('now') * 1000 + 86460000
        FROM sessions WHERE user_id = OLD.id AND revoked_at IS NULL;
    UPDATE sessions SET revoked_at = unixepoch('now') * 1000 WHERE user_id = OLD.id AND revoked_at IS NULL;
END;
CREATE TRIGGER users_go AFTER DELETE ON users
BEGIN
    INSERT INTO revocations (session_id, revoked_at, expires_at)
        SELECT id, unixepoch('now') * 1000, unixepoch('now') * 1000 + 86460000
        FROM sessions WHERE user_id = OLD.id AND revoked_at IS NULL;
    UPDATE sessions SET revoked_at = unixepoch('now') * 1000 WHERE user_id = OLD.id AND revoked_at IS NULL;
END;
DROP INDEX sessions_live;
CREATE INDEX sessions_user_id ON sessions (user_id);
ALTER TABLE signing_keys DROP COLUMN longest_ttl_seconds;
ALTER TABLE sessions DROP COLUMN tokens_expire_at;
