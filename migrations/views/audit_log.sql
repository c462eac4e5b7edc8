-- Who did what by hand or through the API: cancellations, retries, pauses, keys, agents, repairs, and whatever comes.
--
-- Everything that people do is in it, except enqueueing and what a request merely uses or measures: a new kind
-- of event is shown unless it is left out here. The first two conditions are those of the index
-- events_by_hand, which makes the newest rows cheap however long the log is.
--
--   SELECT * FROM audit_log ORDER BY position DESC LIMIT 20;

CREATE VIEW audit_log AS
SELECT e.position, e.recorded_at, e.actor, e.type AS action,
       e.stream_type || ':' || e.stream_id AS target, e.data ->> 'reason' AS reason, e.correlation_id
FROM events e
WHERE e.type NOT IN ('task.enqueued', 'task.started', 'task.progressed', 'task.completed')
  AND (e.actor LIKE 'api:%' OR e.actor LIKE 'psql:%')
  AND e.type NOT IN ('agent.queried', 'coverage.measured');

COMMENT ON COLUMN audit_log.position IS 'Position of the event; newest first by it';
COMMENT ON COLUMN audit_log.recorded_at IS 'When';
COMMENT ON COLUMN audit_log.actor IS 'Who: api:<key> or psql:<role>, which the commands at a terminal are, too';
COMMENT ON COLUMN audit_log.action IS 'Type of the event';
COMMENT ON COLUMN audit_log.target IS 'What it was done to: <stream type>:<stream id>';
COMMENT ON COLUMN audit_log.reason IS 'Why, when a reason was given';
COMMENT ON COLUMN audit_log.correlation_id IS 'The request (X-Request-ID), when it came by the API';
