-- A narrow table of claimable rows behind claim: inserted at enqueue, deleted at claim.

CREATE TABLE ready (lane smallint, ready_position bigint, task_id text, PRIMARY KEY (lane, ready_position));
DROP INDEX background_tasks_pending;
CREATE OR REPLACE FUNCTION fold() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin=off SET enable_mergejoin=off SET enable_seqscan=off SET enable_bitmapscan=off AS $$
DECLARE _types text[] := ARRAY(SELECT DISTINCT type FROM appended);
BEGIN
IF 'task.enqueued' = ANY(_types) THEN
 WITH added AS (INSERT INTO background_tasks (
            enqueued_position, created_at, agent_id, timeout_seconds, lane, priority, max_attempts, task_id, task_type,
            queue, subject, unique_key, webhook_url, status, version, queued_position, ready_position, run_at)
        SELECT e.position, coalesce(d.occurred_at, e.recorded_at),
               CASE WHEN d.subject LIKE 'agent:%' THEN substr(d.subject, 7)::uuid END,
               d.timeout_seconds,
               (SELECT l.lane FROM lanes l WHERE l.queue = d.queue AND l.class = priority_class(d.priority)
                  AND l.limit_group = coalesce(d.limit_group, '')),
               d.priority, d.max_attempts, e.stream_id, d.task_type, d.queue, d.subject, d.unique_key, d.webhook_url, 
               'pending', e.version, e.position, CASE WHEN d.run_at IS NULL THEN e.position END, d.run_at
        FROM appended e
        CROSS JOIN LATERAL jsonb_to_record(e.data) AS d (
            task_type text, queue text, priority smallint, subject text, max_attempts smallint,
            timeout_seconds real, run_at timestamptz, unique_key text, webhook_url text, limit_group text, occurred_at timestamptz)
        WHERE e.type = 'task.enqueued'
        RETURNING lane, ready_position, task_id)
        INSERT INTO ready SELECT * FROM added;
END IF;
IF 'task.started' = ANY(_types) THEN
   UPDATE background_tasks t
        SET status = 'running', version = e.version, lease = e.version, attempt = t.attempt + 1,
            ready_position = NULL, started_position = e.position, started_at = coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at),
            progress_percentage = 0, worker_id = e.data ->> 'worker_id'
        FROM appended e WHERE e.type = 'task.started' AND t.task_id = e.stream_id;
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
            FROM appended e,
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
RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION claim(worker text, queues text[], types text[], slots int, mark bigint DEFAULT 0)
RETURNS TABLE(task_id text, lease int, attempt int, task_type text, params jsonb, lane smallint, ready_position bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path=public,pg_temp
SET enable_seqscan=off SET enable_hashjoin=off SET enable_mergejoin=off AS $$
DECLARE _at timestamptz := clock_timestamp(); _lane record; _got background_tasks[]; _more background_tasks[]; _left int := slots;
BEGIN
 FOR _lane IN SELECT l.lane FROM lanes l WHERE l.queue = ANY(queues) ORDER BY l.class, l.lane LOOP
   SELECT array_agg(x.t) INTO _more FROM (SELECT t FROM background_tasks t WHERE t.lane=_lane.lane AND t.status='pending' AND t.ready_position IS NULL AND t.run_at <= _at AND t.task_type = ANY(types) ORDER BY t.run_at LIMIT _left FOR UPDATE SKIP LOCKED) x;
   IF _more IS NOT NULL THEN _got := _got || _more; _left := _left - cardinality(_more); END IF;
   EXIT WHEN _left = 0;
   WITH d AS (DELETE FROM ready r USING (SELECT r2.ctid FROM ready r2 WHERE r2.lane=_lane.lane AND r2.ready_position >= mark ORDER BY r2.ready_position LIMIT _left FOR UPDATE SKIP LOCKED) x WHERE r.ctid = x.ctid RETURNING r.task_id)
   SELECT array_agg(t) INTO _more FROM d JOIN LATERAL (SELECT b FROM background_tasks b WHERE b.task_id=d.task_id FOR UPDATE) q(t) ON true;
   IF _more IS NOT NULL THEN _got := _got || _more; _left := _left - cardinality(_more); END IF;
   EXIT WHEN _left = 0;
 END LOOP;
 IF _got IS NULL THEN RETURN; END IF;
 INSERT INTO events(stream_type, stream_id, version, type, data, actor, correlation_id, recorded_at)
 SELECT 'task', g.task_id, g.version+1, 'task.started', jsonb_build_object('attempt', g.attempt+1, 'worker_id', worker), 'worker:'||worker, NULL, _at FROM unnest(_got) g;
 RETURN QUERY SELECT g.task_id, g.version+1, g.attempt+1, g.task_type, e.data->'params', g.lane, g.ready_position FROM unnest(_got) g JOIN LATERAL (SELECT x.data FROM events x WHERE x.position=g.enqueued_position OFFSET 0) e ON true;
END $$;
