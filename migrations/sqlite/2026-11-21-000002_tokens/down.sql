DROP TABLE server_secrets;
DROP TABLE signing_keys;
DROP TABLE clients;
DROP TABLE revocations;
DROP TABLE sessions;
