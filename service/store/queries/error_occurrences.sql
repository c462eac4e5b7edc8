-- The last occurrences of a group in ($2, $3], newest first, with their tracebacks while the log has them.
SELECT a.task_id, a.attempt, a.outcome, a.ended_at AS failed_at, a.worker_id, a.error_message AS message,
       a.ended_position AS position, e.data ->> 'error_traceback' AS traceback
FROM (SELECT x.* FROM task_attempts x
      WHERE x.fingerprint = $1 AND x.ended_position > $2::bigint AND x.ended_position <= coalesce($3::bigint, 9223372036854775807)
      ORDER BY x.ended_position DESC LIMIT $4) a
LEFT JOIN events e ON e.position = a.ended_position
ORDER BY a.ended_position DESC
