DROP TABLE email_keys_due;
