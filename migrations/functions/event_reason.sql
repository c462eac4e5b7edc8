-- Why an event of a task or of its webhook happened, in one line, as far as the event says; NULL when nothing needs one.
--
--   SELECT type, event_reason(type, data) FROM events WHERE stream_id = 'task-100000001' ORDER BY version;

CREATE FUNCTION event_reason(type text, data jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE
    WHEN type IN ('task.retry_scheduled', 'task.failed', 'task.timed_out')
        THEN concat(nullif(concat_ws(': ', data ->> 'error_type',
                           split_part(coalesce(data ->> 'error_message', data ->> 'error'), E'\n', 1)), ''),
                    ' (' || replace(data ->> 'reason', '_', ' ') || ')')
    WHEN type = 'task.released' THEN 'released at shutdown'
    WHEN type = 'task.rescued' THEN format('rescued from worker %s', data ->> 'worker_id')
    WHEN type = 'task.snoozed' THEN coalesce(data ->> 'reason', 'put off by its handler')
    WHEN type = 'task.cancelled' AND data ? 'worker_id' AND NOT data ? 'reason'
        THEN format('cancelled while worker %s was lost', data ->> 'worker_id')
    WHEN type = 'task.completion_refused'
        THEN format('worker %s reported %s under lease %s, which it no longer held',
                    data ->> 'worker_id', data ->> 'would_have_been', data ->> 'lease')
    WHEN type = 'agent.deleted' THEN 'its agent was deleted'
    WHEN type = 'retention.applied' THEN format('removed by retention (%s)', replace(data ->> 'what', '_', ' '))
    WHEN type = 'webhook.requested'
        THEN concat('webhook number ', data ->> 'sequence', ' to ', data ->> 'endpoint', CASE WHEN data ? 'redelivery' THEN ', again' END,
                    ': ' || (data ->> 'reason'))
    WHEN type = 'webhook.skipped' THEN format('not sent: %s', data ->> 'reason')
    WHEN type IN ('webhook.attempt_failed', 'webhook.delivered')
        THEN concat('attempt ', data ->> 'attempt', ': ', coalesce('HTTP ' || (data ->> 'http_status'), data ->> 'error', 'no answer'),
                    ' after ' || spoken_span((data ->> 'latency_ms')::float8 / 1000),
                    ', again in ' || spoken_span((data ->> 'next_delay_ms')::float8 / 1000))
    WHEN type = 'webhook.abandoned'
        THEN format('given up after %s: %s', counted((data ->> 'attempts')::bigint, 'attempt', 'attempts'), data ->> 'reason')
    ELSE data ->> 'reason'
END $$;
