-- One trigger gathers the appended rows into an array and hands it to the fold.

CREATE FUNCTION fold_array(appended events[]) RETURNS void LANGUAGE plpgsql SET enable_hashjoin=off SET enable_mergejoin=off SET enable_seqscan=off SET enable_bitmapscan=off AS $$
DECLARE _types text[] := ARRAY(SELECT DISTINCT a.type FROM unnest(appended) a);
BEGIN
IF 'task.enqueued' = ANY(_types) THEN
 INSERT INTO background_tasks (
            enqueued_position, created_at, agent_id, timeout_seconds, lane, priority, max_attempts, task_id, task_type,
            queue, subject, unique_key, webhook_url, status, version, queued_position, ready_position, run_at)
        SELECT e.position, coalesce(d.occurred_at, e.recorded_at),
               CASE WHEN d.subject LIKE 'agent:%' THEN substr(d.subject, 7)::uuid END,
               d.timeout_seconds,
               (SELECT l.lane FROM lanes l WHERE l.queue = d.queue AND l.class = priority_class(d.priority)
                  AND l.limit_group = coalesce(d.limit_group, '')),
               d.priority, d.max_attempts, e.stream_id, d.task_type, d.queue, d.subject, d.unique_key, d.webhook_url, 
               'pending', e.version, e.position, CASE WHEN d.run_at IS NULL THEN e.position END, d.run_at
        FROM unnest(appended) e
        CROSS JOIN LATERAL jsonb_to_record(e.data) AS d (
            task_type text, queue text, priority smallint, subject text, max_attempts smallint,
            timeout_seconds real, run_at timestamptz, unique_key text, webhook_url text, limit_group text, occurred_at timestamptz)
        WHERE e.type = 'task.enqueued';
END IF;
IF 'task.started' = ANY(_types) THEN
   UPDATE background_tasks t
        SET status = 'running', version = e.version, lease = e.version, attempt = t.attempt + 1,
            ready_position = NULL, started_position = e.position, started_at = coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at),
            progress_percentage = 0, worker_id = e.data ->> 'worker_id'
        FROM unnest(appended) e WHERE e.type = 'task.started' AND t.task_id = e.stream_id;
END IF;
IF 'task.completed' = ANY(_types) THEN
        WITH ended AS (
            UPDATE background_tasks t
            SET status = o.status, version = e.version, lease = NULL, ready_position = NULL,
                completed_at = coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at),
                failures = t.failures + (e.type IN ('task.failed', 'task.timed_out'))::int::smallint,
                progress_percentage = CASE e.type WHEN 'task.completed' THEN 100 ELSE t.progress_percentage END,
                result = e.data -> 'result',
                error = coalesce(e.data ->> 'error_message', e.data ->> 'error')
            FROM unnest(appended) e,
                 LATERAL (SELECT CASE e.type WHEN 'task.completed' THEN 'completed' WHEN 'task.failed' THEN 'failed'
                                 WHEN 'task.timed_out' THEN 'timeout' WHEN 'task.cancelled' THEN 'cancelled' END AS status) o
            WHERE e.type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.cancelled')
              AND t.task_id = e.stream_id
            RETURNING t.*, e.position, o.status AS outcome, e.data)
        INSERT INTO task_attempts (started_position, ended_position, queued_position, started_at, ended_at,
            duration_ms, attempt, task_id, task_type, outcome, worker_id, error_type, error_message)
        SELECT x.started_position, x.position, x.queued_position, x.started_at, x.completed_at,
               coalesce((x.data ->> 'duration_ms')::real, extract(epoch FROM x.completed_at - x.started_at) * 1000),
               x.attempt, x.task_id, x.task_type, x.outcome, x.worker_id, x.data ->> 'error_type', x.error
        FROM ended x
        WHERE x.data ? 'attempt';
END IF;
END $$;
CREATE FUNCTION dispatch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    _tasks events[];
BEGIN
    SELECT array_agg(a) FILTER (WHERE a.stream_type = 'task') INTO _tasks FROM appended a;
    IF _tasks IS NOT NULL THEN
        PERFORM fold_array(_tasks);
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER fold ON events;
CREATE TRIGGER dispatch AFTER INSERT ON events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT EXECUTE FUNCTION dispatch();
