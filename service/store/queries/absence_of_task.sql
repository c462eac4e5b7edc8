-- Why a task has no row at a position: where it was enqueued, and what had taken the row by then.
SELECT e.position AS enqueued_position, (SELECT r.type FROM removal_of_task(e.stream_id) r WHERE r.position <= $2) AS gone
FROM events e
WHERE e.stream_type = 'task' AND e.stream_id = $1 AND e.version = 1
