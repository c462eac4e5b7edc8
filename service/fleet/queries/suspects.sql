-- Who may have to be rescued from: every live worker but oneself ($1), and whoever holds running tasks without being
-- one, because it stopped, was given up, or never registered (then seen_at is NULL). For those, the newest change of
-- one of their tasks counts as a sign of life too. Tasks are looked for from the start at $2 on. With every row, and
-- there is one at least, come the lowest start of what runs and where the log is settled, for the next look.
WITH running AS MATERIALIZED (
    SELECT t.worker_id, min(t.started_position) AS lowest, max(t.changed_position) AS last_change
    FROM background_tasks t
    WHERE t.status = 'running' AND t.started_position >= $2
    GROUP BY t.worker_id),
suspects AS (
    SELECT w.worker_id, w.seen_at, NULL::bigint AS last_change
    FROM workers w
    WHERE w.status = 'live' AND w.worker_id IS DISTINCT FROM $1
    UNION ALL
    SELECT r.worker_id, w.seen_at, r.last_change
    FROM running r
    LEFT JOIN workers w ON w.worker_id = r.worker_id
    WHERE w.status IS DISTINCT FROM 'live')
SELECT m.lowest, m.settled, s.worker_id, s.seen_at, s.last_change
FROM (SELECT min(r.lowest) AS lowest, CASE WHEN pg_is_in_recovery() THEN 0 ELSE stable_position() END AS settled
      FROM running r) m
LEFT JOIN suspects s ON true
