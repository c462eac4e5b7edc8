SELECT (SELECT to_jsonb(t) FROM background_tasks t WHERE t.task_id = $1) AS row,
       (SELECT coalesce(jsonb_agg(to_jsonb(c) ORDER BY c.published_at DESC), '[]') FROM task_types c WHERE c.task_type = $2) AS task_types,
       (SELECT coalesce(jsonb_agg(e.data || jsonb_build_object('started_at', e.recorded_at) ORDER BY e.position), '[]')
        FROM events e WHERE e.stream_type = 'worker' AND e.stream_id = ANY ($3) AND e.type = 'worker.started') AS workers,
       (SELECT l.epoch::text FROM log_epoch l) AS epoch,
       current_setting('server_version') AS postgresql
