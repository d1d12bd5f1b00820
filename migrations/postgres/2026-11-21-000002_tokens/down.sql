DROP TRIGGER users_go ON users;
DROP TRIGGER users_lose_rights ON users;
DROP FUNCTION end_sessions_of_user;
DROP TABLE server_secrets;
DROP TABLE signing_keys;
DROP TABLE clients;
DROP TABLE revocations;
DROP TABLE sessions;
