-- Counts the changes that make older one-time tokens of an account worthless. The renewal of a hash is not one of them.
ALTER TABLE users ADD COLUMN credential_epoch BIGINT NOT NULL DEFAULT 0;

-- Disabling an account, by a route or by hand, is such a change.
CREATE TRIGGER users_end_tokens AFTER UPDATE OF is_active ON users
WHEN OLD.is_active AND NOT NEW.is_active
BEGIN
    UPDATE users SET credential_epoch = credential_epoch + 1 WHERE id = OLD.id;
END;

-- Tokens that have not been used. A row never changes: using the token deletes it.
CREATE TABLE one_time_tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    purpose TEXT NOT NULL,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE, -- NULL: an invitation, which has no account yet
    hash BLOB NOT NULL UNIQUE,          -- SHA-256 of the token
    email TEXT NOT NULL,                -- the address that it was sent to
    credential_epoch BIGINT NOT NULL,   -- of the account when the token was made
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX one_time_tokens_user_id ON one_time_tokens (user_id, purpose, id);
CREATE INDEX one_time_tokens_invited ON one_time_tokens (email, purpose, id) WHERE user_id IS NULL;
CREATE INDEX one_time_tokens_expires_at ON one_time_tokens (expires_at);
