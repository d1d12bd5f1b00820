-- When the last access token of a session expires, raised whenever one is issued. NULL: a version that did not note it has
-- issued tokens, each of which lives a day at the most (token.access_ttl_seconds).
ALTER TABLE sessions ADD COLUMN tokens_expire_at BIGINT;

-- How long the tokens live that a key has signed: raised before a process signs with it. NULL: not noted, a day at the most.
ALTER TABLE signing_keys ADD COLUMN longest_ttl_seconds BIGINT;

-- The sessions of an account that have not been ended, newest first.
CREATE INDEX sessions_live ON sessions (user_id, id) WHERE revoked_at IS NULL;

-- Whoever disables or deletes an account, or takes its admin rights away, by a route or by hand: its sessions end. So do
-- those of a client that is removed. A revocation outlives every access token of its session by a minute. The sessions are
-- locked first: a refresh under way is done by then, and its token counts, or it finds its session ended.
CREATE OR REPLACE FUNCTION end_sessions_of_user() RETURNS TRIGGER AS $$
DECLARE
    now_millis BIGINT := (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT;
BEGIN
    WITH ended AS (
        UPDATE sessions SET revoked_at = now_millis WHERE user_id = OLD.id AND revoked_at IS NULL
        RETURNING id, COALESCE(tokens_expire_at, last_used_at + 86400000) + 60000 AS ends_at
    )
    INSERT INTO revocations (session_id, revoked_at, expires_at) SELECT id, now_millis, ends_at FROM ended;
    -- What a session tells of its user goes with the account.
    IF TG_OP = 'DELETE' THEN
        UPDATE sessions SET user_agent = NULL, ip = NULL WHERE user_id = OLD.id;
    END IF;
    RETURN NULL;
END
$$ LANGUAGE plpgsql;

CREATE FUNCTION end_sessions_of_client() RETURNS TRIGGER AS $$
DECLARE
    now_millis BIGINT := (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT;
BEGIN
    WITH ended AS (
        UPDATE sessions SET revoked_at = now_millis WHERE client_id = OLD.id AND revoked_at IS NULL
        RETURNING id, COALESCE(tokens_expire_at, last_used_at + 86400000) + 60000 AS ends_at
    )
    INSERT INTO revocations (session_id, revoked_at, expires_at) SELECT id, now_millis, ends_at FROM ended;
    RETURN NULL;
END
$$ LANGUAGE plpgsql;
CREATE TRIGGER clients_go AFTER DELETE ON clients FOR EACH ROW EXECUTE FUNCTION end_sessions_of_client();

UPDATE sessions SET user_agent = NULL, ip = NULL
WHERE (user_agent IS NOT NULL OR ip IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM users WHERE users.id = sessions.user_id);
