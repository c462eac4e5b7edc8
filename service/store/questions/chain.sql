-- Which tasks came of one request, and what caused each?
SELECT e.stream_id AS task_id, e.data ->> 'task_type' AS task_type, t.status, e.actor,
       c.type AS caused_by, c.stream_id AS caused_in, t.completed_at - t.created_at AS took
FROM events e
LEFT JOIN background_tasks t ON t.task_id = e.stream_id
LEFT JOIN events c ON c.position = e.causation_id
WHERE e.type = 'task.enqueued' AND e.correlation_id = :'request'
ORDER BY e.position;
