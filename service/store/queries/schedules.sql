SELECT name, cron, time_zone, task_type, params, queue, priority, missed_fires, enabled, configured IS NOT NULL, version,
       created_at, changed_at, counts_from, last_due_at, last_fired_at, last_task_id, last_error, clock_timestamp()
FROM schedules
WHERE ($1::text IS NULL OR name = $1) AND (enabled OR NOT $2)
ORDER BY name
