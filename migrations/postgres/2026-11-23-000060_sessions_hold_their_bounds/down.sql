DROP TRIGGER clients_go ON clients;
DROP FUNCTION end_sessions_of_client;
CREATE OR REPLACE FUNCTION end_sessions_of_user() RETURNS TRIGGER AS $$
DECLARE
    now_millis BIGINT := (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT;
BEGIN
    INSERT INTO revocations (session_id, revoked_at, expires_at)
        SELECT id, now_millis, now_millis + 86460000 FROM sessions WHERE user_id = OLD.id AND revoked_at IS NULL;
    UPDATE sessions SET revoked_at = now_millis WHERE user_id = OLD.id AND revoked_at IS NULL;
    RETURN NULL;
END
$$ LANGUAGE plpgsql;
DROP INDEX sessions_live;
ALTER TABLE signing_keys DROP COLUMN longest_ttl_seconds;
ALTER TABLE sessions DROP COLUMN tokens_expire_at;
