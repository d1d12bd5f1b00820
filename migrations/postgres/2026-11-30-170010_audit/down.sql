DROP TRIGGER users_leave_events ON users;
DROP FUNCTION clear_events_of_user();
DROP TABLE events;
