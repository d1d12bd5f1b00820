DROP TRIGGER users_stay;
DROP INDEX users_delete_after;
ALTER TABLE users DROP COLUMN delete_after;
