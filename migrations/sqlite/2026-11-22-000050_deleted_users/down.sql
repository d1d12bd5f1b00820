DROP TRIGGER users_leave_ids;
DROP TABLE deleted_users;
