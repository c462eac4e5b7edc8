-- Folds events of task streams into background_tasks and task_attempts.
--
-- Set-based over what one statement appended. Several events of one stream in one statement fold in
-- rounds, by version, because UPDATE ... FROM would apply only one of them. A type that is not listed
-- stops the append: a new type must be taught to this fold, or be named here as ignored.
--
-- Rows are found by primary key: with statistics that say "nothing is running" the planner would join
-- through the partial indexes, which are then full of dead entries. Table names are unqualified, so
-- that the same code folds a stretch of the log into the shadow schema.
--
--   INSERT INTO shadow.events SELECT * FROM events ORDER BY position;   -- with search_path = shadow, public

CREATE FUNCTION project_tasks() RETURNS trigger
LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    _types  text[] := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'task' OR a.type IN ('agent.deleted', 'webhook.attempt_failed'));
    _ended  constant text[] := ARRAY['task.completed', 'task.failed', 'task.timed_out', 'task.cancelled',
                                     'task.retry_scheduled', 'task.snoozed', 'task.released', 'task.rescued'];
    _known  constant text[] := _ended || ARRAY['task.enqueued', 'task.started', 'task.progressed', 'task.completion_refused',
                                     'task.cancellation_requested', 'task.retry_requested', 'task.abandoned', 'agent.deleted',
                                     'webhook.attempt_failed'];
    _told   constant text[] := _types;
    _round  bigint[];
    _rounds integer := 1;
    -- Ranked once, however many rounds there are.
    _ranked CURSOR FOR
        SELECT array_agg(r.position), array_agg(DISTINCT r.type)
        FROM (SELECT a.position, a.type, row_number() OVER (PARTITION BY a.stream_id ORDER BY a.version) AS rank
              FROM appended a WHERE a.stream_type = 'task') r
        GROUP BY r.rank ORDER BY r.rank;
BEGIN
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ _known THEN
        RAISE EXCEPTION 'project_tasks was not taught the event types %', ARRAY(SELECT t FROM unnest(_types) t WHERE t <> ALL (_known))
            USING ERRCODE = 'AN422', HINT = 'Teach them to functions/project_tasks.sql, or list them there as ignored.';
    END IF;
    -- A single type that cannot follow itself means one event per stream; the ranking is spared.
    IF cardinality(_types) > 1 OR NOT _types <@ ARRAY['task.enqueued', 'task.started', 'task.completed'] THEN
        SELECT coalesce(max(r.n), 0) INTO _rounds
        FROM (SELECT count(*) AS n FROM appended a WHERE a.stream_type = 'task' GROUP BY a.stream_id) r;
    END IF;
    IF _rounds > 1 THEN
        OPEN _ranked;
    END IF;
    FOR _r IN 1 .. _rounds LOOP
        IF _rounds > 1 THEN
            FETCH _ranked INTO _round, _types;
        END IF;

        IF 'task.enqueued' = ANY (_types) THEN
            INSERT INTO background_tasks (
                enqueued_position, created_at, agent_id, timeout_seconds, lane, priority, max_attempts, queued_position, run_at,
                task_id, task_type, queue, subject, unique_key, webhook_url, correlation_id, status, version,
                ready_position, changed_position)
            SELECT e.position, coalesce(e.occurred_at, e.recorded_at),
                   CASE WHEN e.subject ~ '^agent:[0-9a-f-]{36}$' THEN substr(e.subject, 7)::uuid END,
                   e.timeout_seconds,
                   (SELECT l.lane FROM lanes l
                    WHERE l.queue = e.queue AND l.class = priority_class(e.priority) AND l.limit_group = e.limit_group),
                   e.priority, e.max_attempts, e.position, e.run_at,
                   e.stream_id, e.task_type, e.queue, e.subject, e.unique_key, e.webhook_url,
                   e.correlation_id, 'pending', e.version, CASE WHEN e.run_at IS NULL THEN e.position END, e.position
            FROM (
                SELECT a.position, a.recorded_at, a.stream_id, a.version, a.correlation_id,
                       a.data ->> 'task_type' AS task_type, a.data ->> 'queue' AS queue, (a.data ->> 'priority')::smallint AS priority,
                       (a.data ->> 'max_attempts')::smallint AS max_attempts, (a.data ->> 'timeout_seconds')::real AS timeout_seconds,
                       a.data ->> 'subject' AS subject, (a.data ->> 'run_at')::timestamptz AS run_at, a.data ->> 'unique_key' AS unique_key,
                       a.data ->> 'webhook_url' AS webhook_url, coalesce(a.data ->> 'limit_group', '') AS limit_group,
                       (a.data ->> 'occurred_at')::timestamptz AS occurred_at
                FROM appended a
                WHERE a.type = 'task.enqueued' AND (_rounds = 1 OR a.position = ANY (_round))
                OFFSET 0) e;
            CONTINUE WHEN cardinality(_types) = 1;
        END IF;

        IF 'task.started' = ANY (_types) THEN
            UPDATE background_tasks t
            SET status = 'running', version = e.version, changed_position = e.position, lease = e.version,
                attempt = t.attempt + 1, ready_position = NULL,
                started_position = e.position, started_at = coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at),
                worker_id = e.data ->> 'worker_id', progress_percentage = 0, step = NULL, error = NULL
            FROM appended e
            WHERE e.type = 'task.started' AND (_rounds = 1 OR e.position = ANY (_round)) AND t.task_id = e.stream_id;
        END IF;

        IF 'task.progressed' = ANY (_types) THEN
            UPDATE background_tasks t
            SET version = e.version, changed_position = e.position,
                progress_percentage = coalesce((e.data ->> 'percentage')::real, t.progress_percentage),
                step = coalesce(e.data ->> 'step', t.step),
                checkpoint = coalesce(e.data -> 'checkpoint', t.checkpoint)
            FROM appended e
            WHERE e.type = 'task.progressed' AND (_rounds = 1 OR e.position = ANY (_round)) AND t.task_id = e.stream_id;
        END IF;

        -- The end of an attempt, or of a task that never ran (no 'attempt' in the data, no row in task_attempts).
        IF _types && _ended THEN
            WITH ended AS (
                UPDATE background_tasks t
                SET status = CASE e.type WHEN 'task.completed' THEN 'completed' WHEN 'task.failed' THEN 'failed'
                                         WHEN 'task.timed_out' THEN 'timeout' WHEN 'task.cancelled' THEN 'cancelled'
                                         ELSE 'pending' END,
                    version = e.version, changed_position = e.position,
                    lease = NULL,
                    ready_position = CASE WHEN e.type IN ('task.released', 'task.rescued') THEN t.enqueued_position END,
                    run_at = CASE WHEN e.type IN ('task.retry_scheduled', 'task.snoozed') THEN (e.data ->> 'run_at')::timestamptz
                                  ELSE t.run_at END,
                    failures = t.failures + (e.type IN ('task.retry_scheduled', 'task.failed', 'task.timed_out')
                                             AND e.data ->> 'reason' IS DISTINCT FROM 'worker_lost')::integer::smallint,
                    rescues = t.rescues + (e.type = 'task.rescued')::integer::smallint,
                    progress_percentage = CASE e.type WHEN 'task.completed' THEN 100 ELSE t.progress_percentage END,
                    completed_at = CASE WHEN e.type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.cancelled')
                                        THEN coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at) END,
                    result = e.data -> 'result',
                    error = coalesce(e.data ->> 'error_message', e.data ->> 'error')
                FROM appended e
                WHERE e.type = ANY (_ended) AND (_rounds = 1 OR e.position = ANY (_round)) AND t.task_id = e.stream_id
                RETURNING e.position, e.type, e.data, coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at) AS ended_at,
                          t.started_position, t.queued_position, t.started_at, t.attempt, t.task_id, t.task_type, t.worker_id)
            INSERT INTO task_attempts (
                started_position, ended_position, queued_position, started_at, ended_at, duration_ms, attempt, task_id, task_type,
                outcome, worker_id, error_type, error_message, fingerprint)
            SELECT x.started_position, x.position, x.queued_position, x.started_at, x.ended_at,
                   coalesce((x.data ->> 'duration_ms')::real, extract(epoch FROM x.ended_at - x.started_at) * 1000),
                   x.attempt, x.task_id, x.task_type,
                   CASE x.type WHEN 'task.timed_out' THEN 'timeout' ELSE substr(x.type, 6) END,
                   x.worker_id, x.data ->> 'error_type', coalesce(x.data ->> 'error_message', x.data ->> 'error'),
                   CASE WHEN x.type IN ('task.failed', 'task.retry_scheduled', 'task.timed_out') THEN error_fingerprint(
                       x.task_type, x.data ->> 'error_type', coalesce(x.data ->> 'error_message', x.data ->> 'error'),
                       x.data ->> 'error_traceback') END
            FROM ended x
            WHERE x.data ? 'attempt';
        END IF;

        -- After the attempt above was written: it needs the position that had queued it.
        IF _types && ARRAY['task.retry_scheduled', 'task.snoozed', 'task.released', 'task.rescued'] THEN
            UPDATE background_tasks t
            SET queued_position = e.position
            FROM appended e
            WHERE e.type IN ('task.retry_scheduled', 'task.snoozed', 'task.released', 'task.rescued')
              AND (_rounds = 1 OR e.position = ANY (_round)) AND t.task_id = e.stream_id;
        END IF;

        IF _types && ARRAY['task.cancellation_requested', 'task.completion_refused', 'task.abandoned'] THEN
            UPDATE background_tasks t
            SET version = e.version, changed_position = e.position,
                cancellation_requested = t.cancellation_requested OR e.type = 'task.cancellation_requested'
            FROM appended e
            WHERE e.type IN ('task.cancellation_requested', 'task.completion_refused', 'task.abandoned')
              AND (_rounds = 1 OR e.position = ANY (_round)) AND t.task_id = e.stream_id;
        END IF;

        IF 'task.retry_requested' = ANY (_types) THEN
            UPDATE background_tasks t
            SET status = 'pending', version = e.version, changed_position = e.position,
                failures = 0, rescues = 0, cancellation_requested = false,
                queued_position = e.position, ready_position = e.position, run_at = NULL, completed_at = NULL,
                progress_percentage = 0, step = NULL, result = NULL, error = NULL
            FROM appended e
            WHERE e.type = 'task.retry_requested' AND (_rounds = 1 OR e.position = ANY (_round)) AND t.task_id = e.stream_id;
        END IF;
    END LOOP;
    IF _rounds > 1 THEN
        CLOSE _ranked;
    END IF;

    IF NOT _told && ARRAY['webhook.attempt_failed', 'agent.deleted'] THEN
        RETURN NULL;
    END IF;
    -- A delivery has a stream of its own: it moves neither the version of its task nor its changed_position.
    IF 'webhook.attempt_failed' = ANY (_told) THEN
        UPDATE background_tasks t
        SET webhook_retry_count = (t.webhook_retry_count + f.failures)::smallint
        FROM (SELECT a.data ->> 'task_id' AS task_id, count(*) AS failures FROM appended a
              WHERE a.type = 'webhook.attempt_failed' AND a.stream_type = 'webhook' GROUP BY 1) f
        WHERE t.task_id = f.task_id;
    END IF;

    -- An agent's tasks go with it; the events stay.
    IF 'agent.deleted' = ANY (_told) THEN
        DELETE FROM background_tasks t USING appended a
        WHERE a.type = 'agent.deleted' AND t.agent_id = a.stream_id::uuid AND t.enqueued_position < a.position;
        -- Also those of tasks whose rows retention took before.
        DELETE FROM task_attempts x USING appended a, events born
        WHERE a.type = 'agent.deleted' AND born.type = 'task.enqueued' AND born.data ->> 'subject' LIKE 'agent:%'
          AND born.data ->> 'subject' = 'agent:' || a.stream_id AND born.position < a.position AND x.task_id = born.stream_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER project_tasks AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT EXECUTE FUNCTION project_tasks();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_tasks;
