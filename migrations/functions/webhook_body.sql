-- The body of a webhook: how the event at this position ended its task. From the log alone, so it is never another.
--
--   SELECT webhook_body(3);

CREATE FUNCTION webhook_body(event_position bigint) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
-- Called for each row of due_deliveries: planned for each, a hundred bodies would take seven times as long.
SET plan_cache_mode = force_generic_plan
AS $$
    SELECT row_to_json(b)::text
    FROM events e
    -- LIMIT keeps it a look-up: joined, and without statistics, the first events of all tasks are read.
    CROSS JOIN LATERAL (SELECT f.* FROM events f
                        WHERE f.stream_type = 'task' AND f.stream_id = e.stream_id AND f.version = 1 LIMIT 1) born
    CROSS JOIN LATERAL (
        SELECT e.stream_id AS task_id, substring(born.data ->> 'subject' FROM '^agent:([0-9a-f-]{36})$') AS agent_id,
               born.data ->> 'task_type' AS task_type, status_after(e.type) AS status, e.data -> 'result' AS result,
               coalesce(e.data ->> 'error_message', e.data ->> 'error') AS error, json_time(event_time(e)) AS completed_at,
               e.position) b
    WHERE e.position = webhook_body.event_position
$$;
