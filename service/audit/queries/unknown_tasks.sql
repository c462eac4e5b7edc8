SELECT t AS task_id FROM unnest($1::text[]) t
WHERE NOT EXISTS (SELECT FROM events e WHERE e.stream_type = 'task' AND e.stream_id = t AND e.version = 1)
