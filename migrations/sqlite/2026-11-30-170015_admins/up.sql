-- The active admins. Whoever takes the rights or the account of one away looks at all of them first.
CREATE INDEX users_admins ON users (id) WHERE is_admin AND is_active;

-- One row as soon as there has been an admin, also after that account is gone: the service makes the first admin of its
-- settings once.
CREATE TABLE first_admin (
    number INTEGER PRIMARY KEY NOT NULL CHECK (number = 1),
    created_at BIGINT NOT NULL
);
INSERT INTO first_admin (number, created_at) SELECT 1, MIN(created_at) FROM users WHERE is_admin HAVING COUNT(*) > 0;
