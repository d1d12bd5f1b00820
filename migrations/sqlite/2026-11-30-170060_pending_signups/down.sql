DROP INDEX one_time_tokens_pending_signup_id;
ALTER TABLE one_time_tokens DROP COLUMN pending_signup_id;
DROP TABLE pending_signups;
