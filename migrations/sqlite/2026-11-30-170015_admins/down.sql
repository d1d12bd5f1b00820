DROP TABLE first_admin;
DROP INDEX users_admins;
