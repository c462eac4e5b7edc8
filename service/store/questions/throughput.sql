-- How much is done in each minute?
SELECT date_trunc('minute', e.recorded_at) AS minute,
       count(*) FILTER (WHERE e.type = 'task.enqueued') AS enqueued,
       count(*) FILTER (WHERE e.type = 'task.started') AS started,
       count(*) FILTER (WHERE e.type = 'task.completed') AS completed,
       count(*) FILTER (WHERE e.type = 'task.retry_scheduled') AS to_retry,
       count(*) FILTER (WHERE e.type IN ('task.failed', 'task.timed_out')) AS failed
FROM events e
WHERE e.stream_type = 'task' AND e.position > (SELECT position_at(now() - interval :'since'))
GROUP BY minute
ORDER BY minute DESC;
