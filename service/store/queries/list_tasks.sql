-- Newest first. $1..$7 filter when given; ($8, $9) is the place after which the page starts; $10 rows.
SELECT t.task_id, t.task_type, t.queue, t.priority, t.status, t.version, t.subject, t.agent_id, e.data -> 'params' AS params,
       t.created_at, t.run_at, t.started_at, t.completed_at, t.attempt, t.failures, t.max_attempts, t.timeout_seconds,
       t.worker_id, t.cancellation_requested, t.progress_percentage, t.step, t.checkpoint, t.result, t.error,
       t.unique_key, t.webhook_url, t.webhook_retry_count, t.correlation_id, t.enqueued_position
FROM (
    SELECT b.*
    FROM background_tasks b
    WHERE ($1::text[] IS NULL OR b.task_type = ANY ($1))
      AND ($2::text[] IS NULL OR b.status = ANY ($2))
      AND ($3::text IS NULL OR b.queue = $3)
      AND ($4::text IS NULL OR b.subject = $4)
      AND ($5::timestamptz IS NULL OR b.created_at >= $5)
      AND ($6::timestamptz IS NULL OR b.created_at < $6)
      AND ($7::text IS NULL OR strpos(lower(concat_ws(' ', b.task_id, b.task_type, b.subject, b.error)), lower($7)) > 0)
      AND ($8::timestamptz IS NULL OR b.created_at <= $8 AND (b.created_at, b.enqueued_position) < ($8, $9::bigint))
    ORDER BY b.created_at DESC, b.enqueued_position DESC
    LIMIT $10) t
LEFT JOIN events e ON e.position = t.enqueued_position
ORDER BY t.created_at DESC, t.enqueued_position DESC
