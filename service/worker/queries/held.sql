-- The tasks that the database believes a worker to be running, with their leases; those started at $2 or later. With
-- every row, and there is one at least, come their lowest start and where the log is settled, for the next look.
WITH running AS MATERIALIZED (
    SELECT t.task_id, t.lease, t.started_position
    FROM background_tasks t
    WHERE t.status = 'running' AND t.started_position >= $2 AND t.worker_id = $1)
SELECT m.lowest, m.settled, r.task_id, r.lease
FROM (SELECT min(x.started_position) AS lowest, CASE WHEN pg_is_in_recovery() THEN 0 ELSE stable_position() END AS settled
      FROM running x) m
LEFT JOIN running r ON true
