DROP TRIGGER users_leave_events;
DROP TABLE events;
