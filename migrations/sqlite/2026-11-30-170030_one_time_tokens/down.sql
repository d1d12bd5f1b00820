DROP TABLE one_time_tokens;
DROP TRIGGER users_end_tokens;
ALTER TABLE users DROP COLUMN credential_epoch;
