-- Checks the tasks of an enqueue and fills in what they leave out from the catalogue.
--
-- Nothing is written here, so bad input is raised: AN422 names the first bad task by its place in the
-- list and says what is wrong, AN413 a task that is too big. One pass over the list; the patterns have
-- no bounded repetition, which would cost ten times the rest.
--
--   SELECT (unnest(draft_tasks('[{"task_type": "coverage_refresh", "params": {"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}}]', now()))).*;

CREATE FUNCTION draft_tasks(tasks jsonb, at timestamptz) RETURNS task_draft[]
LANGUAGE plpgsql AS $$
DECLARE
    _known   constant text[] := ARRAY['task_type', 'params', 'task_id', 'queue', 'priority', 'subject', 'max_attempts', 'backoff',
                                      'timeout_seconds', 'run_at', 'unique_key', 'unique_states', 'webhook_url'];
    _states  constant text[] := ARRAY['pending', 'running', 'completed', 'failed', 'cancelled', 'timeout'];
    _limit   constant integer := max_event_bytes();
    _drafts  task_draft[];
    _problem text[];
BEGIN
    IF jsonb_typeof(draft_tasks.tasks) IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'tasks must be a JSON array of objects' USING ERRCODE = 'AN422';
    END IF;
    SELECT array_agg(ROW(
               g.ordinality::integer, coalesce(d.task_id, new_task_id(c.id_prefix)), d.task_type, q.queue, priority_class(q.priority),
               c.limit_group, q.subject, d.unique_key, coalesce(d.unique_states, '{pending,running}'), NULL,
               jsonb_build_object(
                   'task_type', d.task_type, 'queue', q.queue, 'priority', q.priority,
                   'max_attempts', coalesce(d.max_attempts, c.max_attempts),
                   'timeout_seconds', coalesce(d.timeout_seconds, c.timeout_seconds),
                   'backoff', CASE WHEN d.backoff IS NULL OR d.backoff = 'null' THEN c.backoff ELSE d.backoff END,
                   'params', CASE WHEN d.params IS NULL OR d.params = 'null' THEN '{}' ELSE d.params END)
               || CASE WHEN q.optional THEN jsonb_strip_nulls(jsonb_build_object(
                       'subject', q.subject, 'run_at', CASE WHEN d.run_at > draft_tasks.at THEN d.run_at END,
                       'unique_key', d.unique_key, 'webhook_url', d.webhook_url, 'limit_group', nullif(c.limit_group, '')))
                  ELSE '{}' END
           )::task_draft ORDER BY g.ordinality),
           (array_agg(ARRAY[g.ordinality::text, p.problem, d.task_type] ORDER BY g.ordinality) FILTER (WHERE p.problem IS NOT NULL))[1:1]
      INTO _drafts, _problem
    FROM jsonb_array_elements(draft_tasks.tasks) WITH ORDINALITY AS g (task, ordinality)
    CROSS JOIN LATERAL jsonb_to_record(g.task) AS d (
        task_type text, params jsonb, task_id text, queue text, priority smallint, subject text, max_attempts smallint,
        backoff jsonb, timeout_seconds real, run_at timestamptz, unique_key text, unique_states text[], webhook_url text)
    LEFT JOIN task_types c ON c.task_type = d.task_type AND c.current
    CROSS JOIN LATERAL (
        SELECT coalesce(d.queue, c.queue) AS queue, coalesce(d.priority, c.priority) AS priority,
               coalesce(d.subject, c.subject_type || ':' || (d.params ->> c.subject_param)) AS subject,
               d.subject IS NOT NULL OR d.run_at IS NOT NULL OR d.unique_key IS NOT NULL OR d.webhook_url IS NOT NULL
                   OR c.subject_type IS NOT NULL OR c.limit_group <> '' AS optional) q
    CROSS JOIN LATERAL (SELECT CASE
        WHEN d.task_type IS NULL THEN 'names no task_type'
        WHEN c.task_type IS NULL THEN format('has the unknown task_type %L', d.task_type)
        WHEN g.task - _known <> '{}' THEN
            format('has unknown fields: %s', (SELECT string_agg(k, ', ') FROM jsonb_object_keys(g.task - _known) k))
        WHEN pg_column_size(g.task) > _limit THEN 'is too big'
        WHEN jsonb_typeof(d.params) NOT IN ('object', 'null') THEN 'has params that are not an object'
        WHEN jsonb_typeof(d.backoff) <> 'null' AND NOT valid_backoff(d.backoff) THEN 'has a backoff that is no known policy'
        WHEN q.priority NOT BETWEEN 1 AND 10 THEN 'has a priority outside 1 to 10'
        WHEN d.max_attempts < 1 THEN 'has max_attempts below 1'
        WHEN NOT d.timeout_seconds BETWEEN 0.001 AND 1e9 THEN 'has a timeout_seconds that is not from 0.001 to 1000000000'
        WHEN NOT isfinite(d.run_at) THEN 'has a run_at that is no moment'
        WHEN length(d.queue) > 100 OR d.queue !~ '^[A-Za-z0-9_.:-]+$' THEN
            'has a queue name that is not 1 to 100 letters, digits, or _ . : -'
        WHEN length(d.task_id) > 200 OR d.task_id !~ '^[!-~]+$' THEN
            'has a task_id that is not 1 to 200 printable characters without blanks'
        WHEN length(d.subject) > 500 OR d.subject = '' THEN 'has a subject that is not 1 to 500 characters'
        WHEN length(d.unique_key) > 500 OR d.unique_key = '' THEN 'has a unique_key that is not 1 to 500 characters'
        WHEN length(d.webhook_url) > 2000 OR d.webhook_url IS NOT NULL AND webhook_endpoint(d.webhook_url) IS NULL THEN
            'has a webhook_url that is not an http(s) URL of at most 2000 characters, without a user'
        WHEN NOT d.unique_states <@ _states THEN format('has unique_states outside %s', array_to_string(_states, ', '))
        WHEN d.task_type = 'coverage_refresh'
             AND coalesce(q.subject, '') !~ '^agent:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
            'needs params.agent_id, the uuid of an agent in lower case'
        WHEN q.subject LIKE 'agent:%' AND length(q.subject) = 42
             AND q.subject !~ '^agent:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN
            'has a subject agent:<id> whose id is no uuid in lower case'
    END AS problem) p;
    IF _problem[1][2] = 'is too big' THEN
        RAISE EXCEPTION 'task % is larger than % bytes', _problem[1][1], _limit
            USING ERRCODE = 'AN413', HINT = 'Store the payload elsewhere and put a reference into params.';
    ELSIF _problem IS NOT NULL THEN
        RAISE EXCEPTION 'task % %', _problem[1][1], _problem[1][2] USING ERRCODE = 'AN422',
            HINT = CASE WHEN _problem[1][2] LIKE 'has the unknown task_type%'
                        THEN format('Nearest known: %s.', coalesce(nearest_task_types(_problem[1][3]), 'none, the catalogue is empty'))
                        ELSE format('Nothing was enqueued. Fields: %s.', array_to_string(_known, ', ')) END;
    END IF;
    RETURN coalesce(_drafts, '{}');
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION 'a task has a field of the wrong type: %', SQLERRM USING ERRCODE = 'AN422',
        HINT = 'A task is an object; priority and max_attempts are whole numbers, timeout_seconds a number, run_at a time with its offset.';
END $$;
