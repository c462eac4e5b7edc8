-- Events that the service cannot have written, judged by the log alone: the first of each fault of a stream.
--
-- After a hole or a doubled version all that follow are out of step: of these only the first is one.
-- fact is what the neighbours say instead. A clock may be set back, and a caller of SQL may name a time: only
-- what is more than a day out of order is a fault. Numbers in data are compared as jsonb: a cast would fail.
-- A measurement in the request itself (measure_coverage) has no worker: its caller stands for one.
WITH told AS (
    SELECT e.*, row_number() OVER stream AS expected, lag(e.recorded_at) OVER stream AS before,
           first_value(e.correlation_id) OVER stream AS correlation,
           count(*) FILTER (WHERE e.type = 'task.started') OVER stream AS attempts
    FROM events e
    WHERE e.stream_type = $1 AND e.stream_id = ANY ($2::text[])
    WINDOW stream AS (PARTITION BY e.stream_id ORDER BY e.position)),
judged AS (
    SELECT t.*, CASE
        WHEN t.version < t.expected THEN 'doubled'
        WHEN t.version > t.expected THEN 'hole'
        WHEN t.causation_id >= t.position THEN 'later_cause'
        WHEN t.causation_id IS NOT NULL AND NOT EXISTS (SELECT FROM events c WHERE c.position = t.causation_id) THEN 'no_cause'
        WHEN t.recorded_at < t.before - interval '1 day' THEN 'clock'
        WHEN t.recorded_at > now() + interval '1 day' THEN 'future'
        WHEN t.stream_type = 'task' AND t.correlation_id IS DISTINCT FROM t.correlation THEN 'correlation'
        WHEN t.type IN ('task.started', 'task.progressed') AND t.data -> 'attempt' IS DISTINCT FROM to_jsonb(t.attempts) THEN 'attempt'
        WHEN t.type = 'task.started'
             AND coalesce(t.actor NOT IN ('worker:' || (t.data ->> 'worker_id'), t.data ->> 'worker_id'), true) THEN 'actor'
    END AS fault
    FROM told t)
SELECT DISTINCT ON (j.stream_id, replace(j.fault, 'doubled', 'hole')) j.stream_id, j.fault, j.version, j.position, j.type, j.expected,
       CASE j.fault
           WHEN 'hole' THEN (SELECT o.position FROM events o WHERE o.stream_type = j.stream_type AND o.stream_id = j.stream_id
                             AND o.version = j.expected AND o.position > j.position ORDER BY o.position LIMIT 1)::text
           WHEN 'clock' THEN to_char(j.before AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           WHEN 'future' THEN to_char(j.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
           WHEN 'correlation' THEN coalesce(j.correlation, 'none')
           WHEN 'attempt' THEN j.attempts::text
           WHEN 'actor' THEN 'worker:' || (j.data ->> 'worker_id')
           ELSE j.causation_id::text END AS fact
FROM judged j
WHERE j.fault IS NOT NULL
ORDER BY j.stream_id, replace(j.fault, 'doubled', 'hole'), j.position
