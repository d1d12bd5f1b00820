-- Where a row stands in the feed that every process follows. Commits come one after the other, so a number that is taken
-- inside the transaction is larger than all that anybody has seen. Clocks have no part in it.
-- What is called local_ means something in this database alone: `keyfob copy` leaves it out, and the target counts anew.
CREATE TABLE local_positions (
    last BIGINT PRIMARY KEY NOT NULL
);
INSERT INTO local_positions (last) VALUES (0);

ALTER TABLE revocations ADD COLUMN local_position BIGINT NOT NULL DEFAULT 0;
DROP INDEX revocations_revoked_at;
CREATE INDEX revocations_position ON revocations (local_position);
CREATE TRIGGER revocations_take_positions AFTER INSERT ON revocations
BEGIN
    UPDATE local_positions SET last = last + 1;
    UPDATE revocations SET local_position = (SELECT last FROM local_positions) WHERE session_id = NEW.session_id;
END;
