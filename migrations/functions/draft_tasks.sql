-- Checks the tasks of an enqueue and fills in what they leave out from the catalogue.
--
-- Nothing is written here, so bad input is raised: AN422 names the first bad task by its place in the
-- list and says what is wrong, AN413 a task that is too big.
--
--   SELECT (unnest(draft_tasks('[{"task_type": "coverage_refresh", "params": {}}]', now()))).*;

CREATE FUNCTION draft_tasks(tasks jsonb, at timestamptz) RETURNS task_draft[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _known  constant text[] := ARRAY['task_type', 'params', 'task_id', 'queue', 'priority', 'subject', 'max_attempts', 'backoff',
                                     'timeout_seconds', 'run_at', 'unique_key', 'unique_states', 'webhook_url'];
    _states constant text[] := ARRAY['pending', 'running', 'completed', 'failed', 'cancelled', 'timeout'];
    _drafts task_draft[];
    _bad    record;
BEGIN
    IF jsonb_typeof(draft_tasks.tasks) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'tasks must be a JSON array of objects' USING ERRCODE = 'AN422';
    END IF;
    SELECT g.ordinality, g.task ->> 'task_type' AS task_type, p.problem INTO _bad
    FROM jsonb_array_elements(draft_tasks.tasks) WITH ORDINALITY AS g (task, ordinality)
    LEFT JOIN task_types c ON c.task_type = g.task ->> 'task_type' AND c.current
    CROSS JOIN LATERAL (SELECT CASE
        WHEN jsonb_typeof(g.task) <> 'object' THEN 'is not an object'
        WHEN jsonb_typeof(g.task -> 'task_type') IS DISTINCT FROM 'string' THEN 'names no task_type'
        WHEN c.task_type IS NULL THEN format('has the unknown task_type %L', g.task ->> 'task_type')
        WHEN g.task - _known <> '{}' THEN format('has unknown fields: %s', (SELECT string_agg(k, ', ') FROM jsonb_object_keys(g.task - _known) k))
        WHEN jsonb_typeof(g.task -> 'params') NOT IN ('object', 'null') THEN 'has params that are not an object'
        WHEN jsonb_typeof(g.task -> 'backoff') <> 'null' AND NOT valid_backoff(g.task -> 'backoff') THEN 'has a backoff that is no known policy'
        WHEN pg_column_size(g.task) > max_event_bytes() THEN 'too big'
    END AS problem) p
    WHERE p.problem IS NOT NULL
    ORDER BY g.ordinality LIMIT 1;
    IF _bad.problem = 'too big' THEN
        RAISE EXCEPTION 'task % is larger than % bytes', _bad.ordinality, max_event_bytes()
            USING ERRCODE = 'AN413', HINT = 'Store the payload elsewhere and put a reference into params.';
    ELSIF _bad.problem IS NOT NULL THEN
        RAISE EXCEPTION 'task % %', _bad.ordinality, _bad.problem USING ERRCODE = 'AN422',
            HINT = CASE WHEN _bad.problem LIKE 'has the unknown task_type%'
                        THEN format('Nearest known: %s.', coalesce(nearest_task_types(_bad.task_type), 'none, the catalogue is empty'))
                        ELSE format('Fields: %s.', array_to_string(_known, ', ')) END;
    END IF;

    BEGIN
        SELECT array_agg(ROW(
                   g.ordinality::integer, coalesce(d.task_id, new_task_id(c.id_prefix)), d.task_type, q.queue, priority_class(q.priority),
                   c.limit_group, q.subject, d.unique_key, coalesce(d.unique_states, '{pending,running}'), NULL,
                   jsonb_strip_nulls(jsonb_build_object(
                       'task_type', d.task_type, 'queue', q.queue, 'priority', q.priority, 'subject', q.subject,
                       'max_attempts', coalesce(d.max_attempts, c.max_attempts),
                       'timeout_seconds', coalesce(d.timeout_seconds, c.timeout_seconds),
                       'run_at', CASE WHEN d.run_at > draft_tasks.at THEN d.run_at END,
                       'unique_key', d.unique_key, 'webhook_url', d.webhook_url, 'limit_group', nullif(c.limit_group, '')))
                   || jsonb_build_object('backoff', coalesce(nullif(d.backoff, 'null'), c.backoff),
                                         'params', coalesce(nullif(d.params, 'null'), '{}'))
               )::task_draft ORDER BY g.ordinality)
          INTO _drafts
        FROM jsonb_array_elements(draft_tasks.tasks) WITH ORDINALITY AS g (task, ordinality)
        CROSS JOIN LATERAL jsonb_to_record(g.task) AS d (
            task_type text, params jsonb, task_id text, queue text, priority smallint, subject text, max_attempts smallint,
            backoff jsonb, timeout_seconds real, run_at timestamptz, unique_key text, unique_states text[], webhook_url text)
        JOIN task_types c ON c.task_type = d.task_type AND c.current
        CROSS JOIN LATERAL (SELECT coalesce(d.queue, c.queue) AS queue, coalesce(d.priority, c.priority) AS priority,
                                   coalesce(d.subject, c.subject_type || ':' || (d.params ->> c.subject_param)) AS subject) q;
    EXCEPTION WHEN data_exception THEN
        RAISE EXCEPTION 'a task has a field of the wrong type: %', SQLERRM USING ERRCODE = 'AN422',
            HINT = 'priority and max_attempts are whole numbers, timeout_seconds a number, run_at a time with its offset.';
    END;

    SELECT d.ordinal, p.problem INTO _bad
    FROM unnest(_drafts) d
    CROSS JOIN LATERAL (SELECT CASE
        WHEN (d.data ->> 'priority')::integer NOT BETWEEN 1 AND 10 THEN 'has a priority outside 1 to 10'
        WHEN (d.data ->> 'max_attempts')::integer < 1 THEN 'has max_attempts below 1'
        WHEN (d.data ->> 'timeout_seconds')::real <= 0 THEN 'has a timeout_seconds that is not positive'
        WHEN d.queue !~ '^[A-Za-z0-9_.:-]{1,100}$' THEN 'has a queue name that is not 1 to 100 letters, digits, or _ . : -'
        WHEN d.task_id !~ '^[!-~]{1,200}$' THEN 'has a task_id that is not 1 to 200 printable characters without blanks'
        WHEN d.data ->> 'webhook_url' !~ '^https?://[^[:space:]]{1,2000}$' THEN 'has a webhook_url that is not an http(s) URL'
        WHEN NOT d.unique_states <@ _states THEN format('has unique_states outside %s', array_to_string(_states, ', '))
        WHEN d.task_type = 'coverage_refresh' AND d.subject !~ '^agent:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
          OR d.task_type = 'coverage_refresh' AND d.subject IS NULL THEN 'needs params.agent_id, the uuid of an agent'
    END AS problem) p
    WHERE p.problem IS NOT NULL
    ORDER BY d.ordinal LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'task % %', _bad.ordinal, _bad.problem USING ERRCODE = 'AN422', HINT = 'Nothing was enqueued; correct it and send all again.';
    END IF;
    RETURN coalesce(_drafts, '{}');
END $$;
