-- Where a row stands in the feed that every process follows: the id of the transaction that wrote it. Whoever reads asks
-- for what is not older than the oldest transaction that was under way when it last read, so nothing is missed that is
-- committed late. Clocks have no part in it.
-- What is called local_ means something in this database alone: `keyfob copy` leaves it out, and the target counts anew.
ALTER TABLE revocations ADD COLUMN local_position BIGINT NOT NULL DEFAULT pg_current_xact_id()::TEXT::BIGINT;
DROP INDEX revocations_revoked_at;
CREATE INDEX revocations_position ON revocations (local_position);
