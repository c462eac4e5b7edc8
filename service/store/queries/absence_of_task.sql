-- Why a task has no row at a position: where it was enqueued, and whether it had gone by then.
SELECT e.position AS enqueued_position, was_removed(e.stream_id, $2) AS gone
FROM events e
WHERE e.stream_type = 'task' AND e.stream_id = $1 AND e.version = 1
