-- Sign-ups that wait until somebody proves to receive mail at the address. Several may wait for one address, and the link of
-- each creates the account of its own row, so that nobody's password gets into somebody else's account. A row never changes.
CREATE TABLE pending_signups (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    full_name TEXT,
    network TEXT NOT NULL,              -- where it came from: an IPv4 address, or the /64 of an IPv6 address
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pending_signups_email_key ON pending_signups (email_key, id);
CREATE INDEX pending_signups_network ON pending_signups (network, id);
CREATE INDEX pending_signups_expires_at ON pending_signups (expires_at);

ALTER TABLE one_time_tokens ADD COLUMN pending_signup_id BIGINT REFERENCES pending_signups (id) ON DELETE CASCADE;
CREATE INDEX one_time_tokens_pending_signup_id ON one_time_tokens (pending_signup_id)
    WHERE pending_signup_id IS NOT NULL;
