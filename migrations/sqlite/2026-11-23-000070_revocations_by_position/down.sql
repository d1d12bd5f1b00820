DROP TRIGGER revocations_take_positions;
DROP INDEX revocations_position;
CREATE INDEX revocations_revoked_at ON revocations (revoked_at);
ALTER TABLE revocations DROP COLUMN local_position;
DROP TABLE local_positions;
