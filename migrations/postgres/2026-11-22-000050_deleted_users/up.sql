-- The ids of accounts that are gone, by whatever way: an import must not give one to another account.
CREATE TABLE deleted_users (
    id BIGINT PRIMARY KEY
);

CREATE FUNCTION leave_id_of_user() RETURNS TRIGGER AS $$
BEGIN
    INSERT INTO deleted_users (id) VALUES (OLD.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$ LANGUAGE plpgsql;
CREATE TRIGGER users_leave_ids AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION leave_id_of_user();
