-- For the deletion of what has expired.
CREATE INDEX revocations_expires_at ON revocations (expires_at);
