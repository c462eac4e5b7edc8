-- What was the life of a task?
SELECT h.version, h.recorded_at::timestamptz(0), h.gap, h.type, h.actor, left(e.data::text, 60) AS data
FROM task_history(:'task') h
JOIN events e ON e.position = h.position
ORDER BY h.position;
