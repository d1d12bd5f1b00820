-- When an account is deleted whose owner asked for that; until then it is not active, and a login brings it back.
ALTER TABLE users ADD COLUMN delete_after BIGINT;
CREATE INDEX users_delete_after ON users (delete_after) WHERE delete_after IS NOT NULL;

-- An account that is active again, by a route or by hand, stays.
CREATE TRIGGER users_stay AFTER UPDATE OF is_active ON users
WHEN NEW.is_active AND NEW.delete_after IS NOT NULL
BEGIN
    UPDATE users SET delete_after = NULL WHERE id = NEW.id;
END;
