-- Newest first. $1..$7 filter when given; ($8, $9) is the place after which the page starts; $10 rows.
SELECT t.task_id, t.task_type, t.queue, t.priority, t.status, t.version, t.subject, t.agent_id, e.data -> 'params' AS params,
       t.created_at, t.run_at, t.started_at, t.completed_at, t.attempt, t.failures, t.max_attempts, t.timeout_seconds,
       t.worker_id, t.cancellation_requested, t.progress_percentage, t.step, t.checkpoint, t.result, t.error,
       t.unique_key, t.webhook_url, t.webhook_retry_count, t.correlation_id, t.enqueued_position
FROM (
    SELECT b.*
    FROM background_tasks b
    WHERE task_matches(b, $1, $2, $3, $4, $5, $6, $7)
      AND ($8::timestamptz IS NULL OR b.created_at <= $8 AND (b.created_at, b.enqueued_position) < ($8, $9::bigint))
    ORDER BY b.created_at DESC, b.enqueued_position DESC
    LIMIT $10) t
LEFT JOIN events e ON e.position = t.enqueued_position
ORDER BY t.created_at DESC, t.enqueued_position DESC
