SELECT queue, class AS task_class, paused, ready, waiting, running, oldest_ready_at
FROM queue_depth
ORDER BY queue, array_position(ARRAY['high', 'medium', 'low'], class)
