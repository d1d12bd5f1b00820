DROP INDEX revocations_position;
CREATE INDEX revocations_revoked_at ON revocations (revoked_at);
ALTER TABLE revocations DROP COLUMN local_position;
