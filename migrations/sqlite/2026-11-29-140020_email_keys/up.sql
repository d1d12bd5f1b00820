-- What accounts are looked up by is in NFC now, with the domain in its ASCII form. SQL knows neither, so the accounts whose
-- address is not in ASCII are noted here, and the next start goes through them. Those that share their address with an
-- older account stay.
CREATE TABLE email_keys_due (
    user_id INTEGER PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_shared BOOLEAN NOT NULL DEFAULT FALSE
);
INSERT INTO email_keys_due (user_id) SELECT id FROM users WHERE length(CAST(email AS BLOB)) <> length(email);
