-- What the ends of tasks at these positions ask for, as the log tells it; nothing for tasks without a webhook.
--
--   SELECT * FROM webhook_drafts('{3}');

CREATE FUNCTION webhook_drafts(positions bigint[]) RETURNS SETOF webhook_draft
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    SELECT webhook_id(e), e.position, e.type, e.stream_id, born.data ->> 'task_type', born.data ->> 'webhook_url',
           webhook_endpoint(born.data ->> 'webhook_url'), substring(born.actor FROM '^api:(.+)$'), e.correlation_id, born.trace
    FROM events e
    -- LIMIT keeps it a look-up for each: joined, and without statistics, the first events of all tasks are read.
    CROSS JOIN LATERAL (SELECT f.* FROM events f
                        WHERE f.stream_type = 'task' AND f.stream_id = e.stream_id AND f.version = 1 LIMIT 1) born
    WHERE e.position = ANY (webhook_drafts.positions) AND e.stream_type = 'task'
      AND e.type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.cancelled')
      AND born.data ? 'webhook_url'
    ORDER BY e.position
$$;
