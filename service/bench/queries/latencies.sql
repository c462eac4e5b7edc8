-- What the waking handlers measured, in milliseconds.
SELECT (data -> 'result' ->> 'latency_ms')::float8 AS latency_ms
FROM events WHERE type = 'task.completed' AND data -> 'result' ? 'latency_ms'
