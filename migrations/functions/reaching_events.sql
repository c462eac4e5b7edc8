-- Events of other streams that reach into the rows of these: positions, in order.
--
-- An agent's end takes its tasks with it; a delivery's failed attempts are counted in the row of its task. What
-- is folded across streams is named here and in its fold, nowhere else.
--
--   SELECT reaching_events('task', '{task-100000001}');

CREATE FUNCTION reaching_events(stream_type text, stream_ids text[]) RETURNS SETOF bigint
LANGUAGE sql STABLE
SET search_path = public, pg_temp
AS $$
    SELECT failed.position
    FROM events failed
    WHERE reaching_events.stream_type = 'task' AND failed.type = 'webhook.attempt_failed'
      AND failed.data ->> 'task_id' = ANY (reaching_events.stream_ids)
    UNION
    SELECT gone.position
    FROM events enqueued
    JOIN events gone ON gone.stream_type = 'agent' AND gone.type = 'agent.deleted'
                    AND gone.stream_id = substr(enqueued.data ->> 'subject', 7)
    WHERE reaching_events.stream_type = 'task' AND enqueued.stream_type = 'task' AND enqueued.version = 1
      AND enqueued.stream_id = ANY (reaching_events.stream_ids) AND enqueued.data ->> 'subject' LIKE 'agent:%'
    ORDER BY 1
$$;
