DROP TABLE local_mail_outbox;
