-- What the waking handlers measured after position $1, in milliseconds.
SELECT (data -> 'result' ->> 'latency_ms')::float8 AS latency_ms
FROM events WHERE position > $1 AND type = 'task.completed' AND data -> 'result' ? 'latency_ms'
