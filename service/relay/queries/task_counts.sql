SELECT hour, task_type, enqueued, started, completed, retried, failed, timed_out, cancelled, rescued,
       CASE WHEN completed > 0 THEN round(duration_ms / completed, 3)::double precision END AS mean_ms,
       CASE WHEN started > 0 THEN round(wait_ms / started, 3)::double precision END AS mean_wait_ms
FROM task_counts
WHERE hour > clock_timestamp() - make_interval(hours => $1 + 1) AND ($2::text IS NULL OR task_type = $2)
ORDER BY hour DESC, task_type
