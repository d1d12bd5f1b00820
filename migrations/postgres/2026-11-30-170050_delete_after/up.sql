-- When an account is deleted whose owner asked for that; until then it is not active, and a login brings it back.
ALTER TABLE users ADD COLUMN delete_after BIGINT;
CREATE INDEX users_delete_after ON users (delete_after) WHERE delete_after IS NOT NULL;

-- An account that is active again, by a route or by hand, stays.
CREATE FUNCTION forget_deletion() RETURNS TRIGGER AS $$
BEGIN
    NEW.delete_after := NULL;
    RETURN NEW;
END
$$ LANGUAGE plpgsql;
CREATE TRIGGER users_stay BEFORE UPDATE OF is_active ON users FOR EACH ROW
    WHEN (NEW.is_active AND NEW.delete_after IS NOT NULL) EXECUTE FUNCTION forget_deletion();
