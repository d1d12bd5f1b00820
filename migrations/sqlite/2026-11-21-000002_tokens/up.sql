-- One row a sign-in. It outlives its user for as long as an access token of it could, so there is no foreign key.
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    user_id BIGINT NOT NULL,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,                -- granted, space-separated (RFC 6749 section 3.3)
    secret_hash BLOB NOT NULL,          -- SHA-256 of the session's half of its refresh tokens
    generation BIGINT NOT NULL,         -- of the live refresh token
    proven_generation BIGINT NOT NULL,  -- the newest one that somebody is known to have received
    refreshed_at BIGINT NOT NULL,       -- when the live refresh token was issued
    refresh_ttl_seconds BIGINT NOT NULL, -- how long it lives if it is not used
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,         -- the session's end, however often it is refreshed
    revoked_at BIGINT,
    user_agent TEXT,
    ip TEXT
);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
CREATE INDEX sessions_idle_until ON sessions ((refreshed_at + refresh_ttl_seconds * 1000));

-- The feed from which every replica learns which sessions have ended while access tokens of theirs live.
CREATE TABLE revocations (
    session_id BIGINT PRIMARY KEY NOT NULL,
    revoked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL          -- when the last access token of the session has expired
);
CREATE INDEX revocations_revoked_at ON revocations (revoked_at);

CREATE TABLE clients (
    id TEXT PRIMARY KEY NOT NULL,
    secret_hash BLOB,                   -- SHA-256; NULL: a public client
    grants TEXT NOT NULL,               -- space-separated
    scopes TEXT,                        -- space-separated; NULL: every scope
    access_ttl_seconds BIGINT,          -- NULL: as configured
    refresh_ttl_seconds BIGINT,         -- NULL: as configured
    created_at BIGINT NOT NULL
);

-- Keys made by the service. private_key: PKCS#8 (HS256: the secret) in base64, or sealed under token.key_encryption_secret.
CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY NOT NULL,
    algorithm TEXT NOT NULL,
    private_key TEXT NOT NULL,
    configured_algorithm TEXT NOT NULL, -- what token.algorithm said when it was made
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL
);

-- Secrets of the service that are not for signing, kept like private_key above.
CREATE TABLE server_secrets (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- Whoever disables or deletes an account, or takes its admin rights away, by a route or by hand: its sessions end.
-- The longest that an access token can live is a day (token.access_ttl_seconds), and a minute more for clocks.
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
