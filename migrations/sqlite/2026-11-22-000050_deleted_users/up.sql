-- The ids of accounts that are gone, by whatever way: an import must not give one to another account.
CREATE TABLE deleted_users (
    id INTEGER PRIMARY KEY NOT NULL
);

CREATE TRIGGER users_leave_ids AFTER DELETE ON users
BEGIN
    INSERT OR IGNORE INTO deleted_users (id) VALUES (OLD.id);
END;
