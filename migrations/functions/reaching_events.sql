-- Events of other streams that reach into the rows of these: positions, in order.
--
-- An agent's end takes its tasks with it, retention takes what is kept no longer; a delivery's failed attempts are
-- counted in the row of its task. What is folded across streams is named here and in its fold, nowhere else.
--
--   SELECT reaching_events('task', '{task-100000001}');

CREATE FUNCTION reaching_events(stream_type text, stream_ids text[]) RETURNS SETOF bigint
LANGUAGE sql STABLE
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
    SELECT failed.position
    FROM events failed
    WHERE reaching_events.stream_type = 'task' AND failed.type = 'webhook.attempt_failed'
      AND failed.stream_type = 'webhook'
      AND failed.data ->> 'task_id' = ANY (reaching_events.stream_ids)
    UNION
    SELECT gone.position
    FROM events enqueued
    JOIN events gone ON gone.stream_type = 'agent' AND gone.type = 'agent.deleted'
                    AND gone.stream_id = substr(enqueued.data ->> 'subject', 7)
    WHERE reaching_events.stream_type = 'task' AND enqueued.stream_type = 'task' AND enqueued.version = 1
      AND enqueued.stream_id = ANY (reaching_events.stream_ids) AND enqueued.data ->> 'subject' LIKE 'agent:%'
    UNION
    SELECT batch.position
    FROM (SELECT x.* FROM retention_whats() x
          -- Without a batch of this kind no event needs to be looked at.
          WHERE x.stream_type = reaching_events.stream_type
            AND EXISTS (SELECT FROM events e WHERE e.type = 'retention.applied' AND e.data ->> 'what' = x.what)) w
    JOIN events changed ON changed.stream_type = w.stream_type AND changed.stream_id = ANY (reaching_events.stream_ids)
                       AND changed.type = ANY (w.last_events)
    CROSS JOIN LATERAL retention_over(w.what, changed.position) AS batch (position)
    WHERE w.statuses IS NULL
       OR NOT EXISTS (SELECT FROM events later
                      WHERE later.stream_type = changed.stream_type AND later.stream_id = changed.stream_id
                        AND later.version = changed.version + 1)
    ORDER BY 1
$$;
