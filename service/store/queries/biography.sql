-- The life of task $1 up to position $2 (or whole), after position $3, at most $4 steps.
SELECT position, version, type, actor, reason, recorded_at, gap, status, attempt, changes, data
FROM task_history($1, $2)
WHERE position > $3
ORDER BY position
LIMIT $4
