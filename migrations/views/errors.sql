-- Errors in groups over every kept attempt: what fails, where, how often, since when.
--
-- errors_between(after, until) says the same of a stretch of the log; annals errors and GET /errors show it.
--
--   SELECT task_type, error_type, pattern, frame, occurrences, last_seen_at FROM errors ORDER BY last_seen_at DESC LIMIT 20;

CREATE VIEW errors AS
SELECT g.fingerprint, g.task_type, g.error_type, g.pattern, g.frame, g.occurrences, g.tasks, g.retried, g.final,
       g.first_position, g.first_seen_at, g.last_position, g.last_seen_at, g.last_task_id, g.last_attempt, g.last_message
FROM errors_between() g;

COMMENT ON VIEW errors IS 'Failed attempts in groups by fingerprint: type, pattern, frame, counts, first and last occurrence';
