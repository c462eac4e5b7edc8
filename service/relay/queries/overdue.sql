-- Attempts past their deadline: found among what runs, however many failed tasks are kept. Looked for among those
-- that were started at $1 or later. With every row, and there is one at least, come the lowest start of what runs
-- and where the log is settled, for the next look.
WITH running AS MATERIALIZED (
    SELECT t.task_id, t.lease, t.started_position, t.started_at + make_interval(secs => t.timeout_seconds) AS deadline
    FROM background_tasks t
    WHERE t.status = 'running' AND t.started_position >= $1)
SELECT m.lowest, m.settled, r.task_id, r.lease
FROM (SELECT min(x.started_position) AS lowest, CASE WHEN pg_is_in_recovery() THEN 0 ELSE stable_position() END AS settled
      FROM running x) m
LEFT JOIN running r ON r.deadline <= clock_timestamp()
