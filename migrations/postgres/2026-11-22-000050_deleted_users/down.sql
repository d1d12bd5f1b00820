DROP TRIGGER users_leave_ids ON users;
DROP FUNCTION leave_id_of_user;
DROP TABLE deleted_users;
