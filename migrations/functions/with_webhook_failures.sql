-- A row of the past with the failed attempts of its webhooks up to a position: webhook_retry_count as it was then.
--
-- A delivery has a stream of its own and moves neither version nor changed_position of its task: a row that no event
-- of the task changed since may still count attempts that came later. Tasks without a webhook cost nothing.
--
--   SELECT (with_webhook_failures(t, 1)).webhook_retry_count FROM background_tasks t;

CREATE FUNCTION with_webhook_failures(task background_tasks, "position" bigint) RETURNS background_tasks
LANGUAGE sql STABLE
AS $$
    SELECT CASE WHEN (with_webhook_failures.task).webhook_url IS NULL THEN with_webhook_failures.task
                ELSE jsonb_populate_record(with_webhook_failures.task, jsonb_build_object('webhook_retry_count', (
                    SELECT count(*) FROM public.events e
                    WHERE e.type = 'webhook.attempt_failed' AND e.stream_type = 'webhook'
                      AND e.data ->> 'task_id' = (with_webhook_failures.task).task_id
                      AND e.position <= with_webhook_failures."position"))) END
$$;
