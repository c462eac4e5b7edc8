-- Drafts the tasks of an enqueue: checks them and fills in what they leave out from the catalogue.
--
-- Nothing is written here, so bad input is raised. A task of a known type that names nothing but params of its
-- own (is_plain_task) has nothing that check_tasks could refuse; only a list that holds another one is looked at again there.
--
--   SELECT (unnest(draft_tasks('[{"task_type": "coverage_refresh", "params": {"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}}]', now()))).*;

CREATE FUNCTION draft_tasks(tasks jsonb, at timestamptz) RETURNS task_draft[]
LANGUAGE plpgsql AS $$
DECLARE
    _limit    constant integer := max_event_bytes();
    _drafts   task_draft[];
    _doubtful boolean;
BEGIN
    IF jsonb_typeof(draft_tasks.tasks) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'tasks must be a JSON array of objects' USING ERRCODE = 'AN422';
    END IF;
    SELECT array_agg(ROW(
               d.ordinality, coalesce(d.task_id, new_task_id(c.id_prefix)), d.task_type, q.queue, priority_class(q.priority),
               c.limit_group, q.subject, d.unique_key, coalesce(d.unique_states, '{pending,running}'), NULL,
               enqueued_data(
                   d.task_type, q.queue, q.priority, coalesce(d.max_attempts, c.max_attempts),
                   coalesce(d.timeout_seconds, c.timeout_seconds),
                   CASE WHEN coalesce(jsonb_typeof(d.backoff), 'null') = 'null' THEN c.backoff ELSE d.backoff END,
                   CASE WHEN coalesce(jsonb_typeof(d.params), 'null') = 'null' THEN '{}' ELSE d.params END)
               || CASE WHEN q.optional THEN jsonb_strip_nulls(jsonb_build_object(
                       'subject', q.subject, 'run_at', CASE WHEN d.run_at > draft_tasks.at THEN d.run_at END,
                       'unique_key', d.unique_key, 'webhook_url', d.webhook_url, 'limit_group', nullif(c.limit_group, '')))
                  ELSE '{}' END
           )::task_draft),
           bool_or(c.task_type IS NULL OR q.optional OR NOT is_plain_task(d.task, _limit))
      INTO _drafts, _doubtful
    FROM ROWS FROM (
        jsonb_array_elements(draft_tasks.tasks),
        jsonb_to_recordset(draft_tasks.tasks) AS (
            task_type text, params jsonb, task_id text, queue text, priority smallint, subject text, max_attempts smallint,
            backoff jsonb, timeout_seconds real, run_at timestamptz, unique_key text, unique_states text[], webhook_url text)
    ) WITH ORDINALITY AS d (
        task, task_type, params, task_id, queue, priority, subject, max_attempts,
        backoff, timeout_seconds, run_at, unique_key, unique_states, webhook_url, ordinality)
    LEFT JOIN task_types c ON c.task_type = d.task_type AND c.current
    CROSS JOIN LATERAL (
        SELECT coalesce(d.queue, c.queue) AS queue, coalesce(d.priority, c.priority) AS priority,
               coalesce(d.subject, c.subject_type || ':' || (d.params ->> c.subject_param)) AS subject,
               d.subject IS NOT NULL OR d.run_at IS NOT NULL OR d.unique_key IS NOT NULL OR d.webhook_url IS NOT NULL
                   OR c.subject_type IS NOT NULL OR c.limit_group <> '' AS optional) q;
    IF _doubtful THEN
        PERFORM check_tasks(draft_tasks.tasks);
    END IF;
    RETURN coalesce(_drafts, '{}');
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION 'a task has a field of the wrong type: %', SQLERRM USING ERRCODE = 'AN422',
        HINT = 'A task is an object; priority and max_attempts are whole numbers, timeout_seconds a number, run_at a time with its offset.';
END $$;
