-- Refuses what is wrong with tasks to enqueue: every rule of an enqueue is here, and only here.
--
-- AN422 names the first bad task by its place in the list and says what is wrong, AN413 a task that is too big.
-- The patterns have no bounded repetition, which would cost ten times the rest. Fields of the wrong type are
-- draft_tasks' business, which reads them first.
--
--   SELECT check_tasks('[{"task_type": "coverage_refresh", "params": {"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}}]');

CREATE FUNCTION check_tasks(tasks jsonb) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    _known   constant text[] := ARRAY['task_type', 'params', 'task_id', 'queue', 'priority', 'subject', 'max_attempts', 'backoff',
                                      'timeout_seconds', 'run_at', 'unique_key', 'unique_states', 'webhook_url'];
    _states  constant text[] := ARRAY['pending', 'running', 'completed', 'failed', 'cancelled', 'timeout'];
    _limit   constant integer := max_event_bytes();
    _bad    record;
BEGIN
    SELECT d.ordinality, p.problem, d.task_type INTO _bad
    FROM ROWS FROM (
        jsonb_array_elements(check_tasks.tasks),
        jsonb_to_recordset(check_tasks.tasks) AS (
            task_type text, params jsonb, task_id text, queue text, priority smallint, subject text, max_attempts smallint,
            backoff jsonb, timeout_seconds real, run_at timestamptz, unique_key text, unique_states text[], webhook_url text)
    ) WITH ORDINALITY AS d (
        task, task_type, params, task_id, queue, priority, subject, max_attempts,
        backoff, timeout_seconds, run_at, unique_key, unique_states, webhook_url, ordinality)
    LEFT JOIN task_types c ON c.task_type = d.task_type AND c.current
    CROSS JOIN LATERAL (SELECT coalesce(d.subject, c.subject_type || ':' || (d.params ->> c.subject_param)) AS subject) q
    CROSS JOIN LATERAL (SELECT CASE
        WHEN d.task_type IS NULL THEN 'names no task_type'
        WHEN c.task_type IS NULL THEN format('has the unknown task_type %L', d.task_type)
        WHEN d.task - _known <> '{}' THEN
            format('has unknown fields: %s', (SELECT string_agg(k, ', ') FROM jsonb_object_keys(d.task - _known) k))
        WHEN pg_column_size(d.task) > _limit THEN 'is too big'
        WHEN jsonb_typeof(d.params) NOT IN ('object', 'null') THEN 'has params that are not an object'
        WHEN jsonb_typeof(d.backoff) <> 'null' AND NOT valid_backoff(d.backoff) THEN 'has a backoff that is no known policy'
        WHEN coalesce(d.priority, c.priority) NOT BETWEEN 1 AND 10 THEN 'has a priority outside 1 to 10'
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
    END AS problem) p
    WHERE p.problem IS NOT NULL
    ORDER BY d.ordinality LIMIT 1;
    IF _bad.problem = 'is too big' THEN
        RAISE EXCEPTION 'task % is larger than % bytes', _bad.ordinality, _limit
            USING ERRCODE = 'AN413', HINT = 'Store the payload elsewhere and put a reference into params.';
    ELSIF _bad.problem IS NOT NULL THEN
        RAISE EXCEPTION 'task % %', _bad.ordinality, _bad.problem USING ERRCODE = 'AN422',
            HINT = CASE WHEN _bad.problem LIKE 'has the unknown task_type%'
                        THEN format('Nearest known: %s.', coalesce(nearest_task_types(_bad.task_type), 'none, the catalogue is empty'))
                        ELSE format('Nothing was enqueued. Fields: %s.', array_to_string(_known, ', ')) END;
    END IF;
END $$;
