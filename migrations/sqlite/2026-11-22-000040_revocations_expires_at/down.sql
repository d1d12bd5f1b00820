DROP INDEX revocations_expires_at;
