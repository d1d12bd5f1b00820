DROP TABLE one_time_tokens;
DROP TRIGGER users_end_tokens ON users;
DROP FUNCTION end_one_time_tokens;
ALTER TABLE users DROP COLUMN credential_epoch;
