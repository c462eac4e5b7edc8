-- Attempts past their deadline: found among what runs, however many failed tasks are kept. Looked for among those
-- that were started at $1 or later; the first column is the lowest start of what runs, and comes with every row.
WITH running AS MATERIALIZED (
    SELECT t.task_id, t.lease, t.started_position, t.started_at + make_interval(secs => t.timeout_seconds) AS deadline
    FROM background_tasks t
    WHERE t.status = 'running' AND t.started_position >= $1)
SELECT m.lowest, r.task_id, r.lease
FROM (SELECT min(x.started_position) AS lowest FROM running x) m
LEFT JOIN running r ON r.deadline <= clock_timestamp()
