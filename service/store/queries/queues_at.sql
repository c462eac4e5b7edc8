SELECT queue, class AS task_class, paused, pending, running, completed, failed, cancelled, timeout
FROM queue_depth_at($1::bigint)
ORDER BY queue, array_position(ARRAY['high', 'medium', 'low'], class)
