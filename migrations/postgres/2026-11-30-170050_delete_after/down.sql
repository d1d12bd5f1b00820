DROP TRIGGER users_stay ON users;
DROP FUNCTION forget_deletion;
DROP INDEX users_delete_after;
ALTER TABLE users DROP COLUMN delete_after;
