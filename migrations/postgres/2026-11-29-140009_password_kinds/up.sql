-- How the hashes begin, up to the salt at least: which kinds there are, and what they cost, is told by some steps in it.
CREATE INDEX users_kind_of_hash ON users (
    ((CASE WHEN substr(password_hash, 1, 2) = '$2' THEN substr(password_hash, 1, 7)
         ELSE substr(password_hash, 1, 64) END) COLLATE "C")
);
