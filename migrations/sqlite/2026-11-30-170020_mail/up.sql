-- Mails that wait, and for some days those that were sent or given up. The name begins with `local_`, so they are not
-- copied to another database: both would send them.
CREATE TABLE local_mail_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind TEXT NOT NULL,
    language TEXT NOT NULL,
    user_id BIGINT REFERENCES users (id) ON DELETE CASCADE,
    is_notice BOOLEAN NOT NULL,
    content TEXT,                       -- what the sender must know, sealed; NULL once the mail was sent or given up
    message_id TEXT NOT NULL,
    queued_at BIGINT NOT NULL,
    waits_since BIGINT NOT NULL,        -- later than queued_at if the operator has it tried again
    due_at BIGINT NOT NULL,             -- of a mail that is being sent: when its lease ends
    lease TEXT,                         -- names the one attempt that may end it
    tries BIGINT NOT NULL,
    recipient BLOB,                     -- a keyed hash of the address, once the mail was allowed
    allowed_at BIGINT,
    ended_at BIGINT,
    is_sent BOOLEAN NOT NULL,
    last_error TEXT
);
CREATE INDEX mail_outbox_due ON local_mail_outbox (is_notice, due_at) WHERE ended_at IS NULL;
CREATE INDEX mail_outbox_waits_since ON local_mail_outbox (waits_since) WHERE ended_at IS NULL;
CREATE INDEX mail_outbox_recipient ON local_mail_outbox (recipient, is_notice, allowed_at);
CREATE INDEX mail_outbox_ended_at ON local_mail_outbox (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX mail_outbox_user_id ON local_mail_outbox (user_id);
