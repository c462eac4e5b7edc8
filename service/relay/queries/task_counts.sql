SELECT hour, task_type, enqueued, started, completed, retried, failed, timed_out, cancelled,
       CASE WHEN completed > 0 THEN round(duration_ms / completed, 3) END AS mean_ms
FROM task_counts
WHERE hour > clock_timestamp() - make_interval(hours => $1 + 1) AND ($2::text IS NULL OR task_type = $2)
ORDER BY hour DESC, task_type
