DROP TRIGGER users_go;
DROP TRIGGER users_lose_rights;
DROP TABLE server_secrets;
DROP TABLE signing_keys;
DROP TABLE clients;
DROP TABLE revocations;
DROP TABLE sessions;
