-- How often somebody failed in the present window. Every replica holds these rows in memory and learns of changes from here.
CREATE TABLE attempts (
    name TEXT PRIMARY KEY NOT NULL,     -- a keyed hash of whose failures they are: an account, an address, ...
    ends_at BIGINT NOT NULL,            -- when the window is over
    failures BIGINT NOT NULL,
    revision BIGINT NOT NULL,           -- counts the changes: the higher of two states is the later one
    changed_at BIGINT NOT NULL
);
CREATE INDEX attempts_changed_at ON attempts (changed_at);
CREATE INDEX attempts_ends_at ON attempts (ends_at);
