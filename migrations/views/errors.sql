-- Errors in groups over every kept attempt: what fails, where, how often, since when.
--
-- errors_between(after, until) says the same of a stretch of the log; annals errors and GET /errors show it.
--
--   SELECT task_type, error_type, pattern, frame, occurrences, last_seen_at FROM errors ORDER BY last_seen_at DESC LIMIT 20;

CREATE VIEW errors AS
SELECT g.fingerprint, g.task_type, g.error_type, g.pattern, g.frame, g.occurrences, g.tasks, g.retried, g.final,
       g.first_position, g.first_seen_at, g.last_position, g.last_seen_at, g.last_task_id, g.last_attempt, g.last_message
FROM errors_between() g;

COMMENT ON COLUMN errors.fingerprint IS 'Names the group; the same wherever the same error happens';
COMMENT ON COLUMN errors.task_type IS 'Type of the tasks that failed so';
COMMENT ON COLUMN errors.error_type IS 'Exception class';
COMMENT ON COLUMN errors.pattern IS 'Message without what differs from one occurrence to the next';
COMMENT ON COLUMN errors.frame IS 'Innermost line of the traceback in code of one''s own, as file:function';
COMMENT ON COLUMN errors.occurrences IS 'Failed attempts';
COMMENT ON COLUMN errors.tasks IS 'Tasks that failed so at least once';
COMMENT ON COLUMN errors.retried IS 'Attempts that were followed by another one';
COMMENT ON COLUMN errors.final IS 'Attempts that ended their task';
COMMENT ON COLUMN errors.first_position IS 'Position of the first occurrence';
COMMENT ON COLUMN errors.first_seen_at IS 'When that was';
COMMENT ON COLUMN errors.last_position IS 'Position of the last occurrence, whose event holds the traceback';
COMMENT ON COLUMN errors.last_seen_at IS 'When that was';
COMMENT ON COLUMN errors.last_task_id IS 'Task of the last occurrence';
COMMENT ON COLUMN errors.last_attempt IS 'Its attempt';
COMMENT ON COLUMN errors.last_message IS 'Its message, whole';
