-- Which reports came too late, from workers that had lost the task?
SELECT e.recorded_at::timestamptz(0), e.stream_id AS task_id, e.data ->> 'worker_id' AS worker_id,
       e.data ->> 'would_have_been' AS would_have_been, t.status AS is_now
FROM events e
LEFT JOIN background_tasks t ON t.task_id = e.stream_id
WHERE e.type = 'task.completion_refused' AND e.position > (SELECT position_at(now() - interval :'since'))
ORDER BY e.position DESC
LIMIT 20;
