-- The prototype on which the tables were decided: log, fold, enqueue, claim and finish, without the
-- checks of the product. run.py applies it and one variant, and drives both halves of a task's life.

CREATE SEQUENCE IF NOT EXISTS events_position AS bigint MAXVALUE 281474976710655 CACHE 1;

CREATE TABLE IF NOT EXISTS events (
    position       bigint      NOT NULL DEFAULT nextval('events_position'),
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    causation_id   bigint,
    version        integer     NOT NULL,
    stream_type    text        NOT NULL,
    stream_id      text        NOT NULL,
    type           text        NOT NULL,
    actor          text        NOT NULL,
    correlation_id text,
    trace          text,
    data           jsonb       NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (position),
    CONSTRAINT one_event_per_version UNIQUE (stream_type, stream_id, version),
    CONSTRAINT version_is_positive CHECK (version > 0),
    CONSTRAINT data_is_an_object CHECK (jsonb_typeof(data) = 'object')
);
CREATE TABLE IF NOT EXISTS lanes (
    lane        smallint GENERATED ALWAYS AS IDENTITY,
    queue       text     NOT NULL,
    class       smallint NOT NULL,
    limit_group text     NOT NULL DEFAULT '',
    CONSTRAINT lanes_pkey PRIMARY KEY (lane),
    CONSTRAINT one_lane_per_queue_class_and_group UNIQUE (queue, class, limit_group),
    CONSTRAINT class_is_high_medium_or_low CHECK (class BETWEEN 1 AND 3)
);
CREATE SEQUENCE IF NOT EXISTS task_number AS bigint START 100000000;

CREATE TABLE IF NOT EXISTS background_tasks (
    enqueued_position      bigint      NOT NULL,
    created_at             timestamptz NOT NULL,
    agent_id               uuid,
    timeout_seconds        real        NOT NULL,
    lane                   smallint    NOT NULL,
    priority               smallint    NOT NULL,
    max_attempts           smallint    NOT NULL,
    failures               smallint    NOT NULL DEFAULT 0,
    rescues                smallint    NOT NULL DEFAULT 0,
    webhook_retry_count    smallint    NOT NULL DEFAULT 0,
    queued_position        bigint      NOT NULL,
    run_at                 timestamptz,
    task_id                text        NOT NULL,
    task_type              text        NOT NULL,
    queue                  text        NOT NULL,
    subject                text,
    unique_key             text,
    webhook_url            text,
    correlation_id         text,
    attempt                integer     NOT NULL DEFAULT 0,
    started_position       bigint,
    started_at             timestamptz,
    worker_id              text,
    cancellation_requested boolean     NOT NULL DEFAULT false,
    status                 text        NOT NULL,
    version                integer     NOT NULL,
    lease                  integer,
    ready_position         bigint,
    progress_percentage    real        NOT NULL DEFAULT 0,
    completed_at           timestamptz,
    step                   text,
    checkpoint             jsonb,
    result                 jsonb,
    error                  text,
    CONSTRAINT background_tasks_pkey PRIMARY KEY (task_id),
    CONSTRAINT status_is_known CHECK (status IN ('pending', 'running', 'completed', 'failed', 'cancelled', 'timeout')),
    CONSTRAINT lease_iff_running CHECK ((lease IS NOT NULL) = (status = 'running')),
    CONSTRAINT ready_only_while_pending CHECK (ready_position IS NULL OR status = 'pending'),
    CONSTRAINT priority_is_1_to_10 CHECK (priority BETWEEN 1 AND 10),
    CONSTRAINT progress_is_a_percentage CHECK (progress_percentage BETWEEN 0 AND 100),
    CONSTRAINT coverage_tasks_name_their_agent CHECK (task_type <> 'coverage_refresh' OR agent_id IS NOT NULL)
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX IF NOT EXISTS background_tasks_pending ON background_tasks (lane, ready_position) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS background_tasks_due ON background_tasks (lane, run_at) WHERE status = 'pending' AND ready_position IS NULL;
CREATE INDEX IF NOT EXISTS background_tasks_unique_key ON background_tasks (unique_key) WHERE unique_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS background_tasks_subject ON background_tasks (subject) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS background_tasks_agent_id ON background_tasks (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS background_tasks_status ON background_tasks (status) WHERE status NOT IN ('pending', 'completed');
CREATE INDEX IF NOT EXISTS background_tasks_created_at ON background_tasks (created_at DESC);
CREATE INDEX IF NOT EXISTS background_tasks_agent_id_status ON background_tasks (agent_id, status) WHERE agent_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS task_attempts (
    started_position bigint           NOT NULL,
    ended_position   bigint           NOT NULL,
    queued_position  bigint           NOT NULL,
    started_at       timestamptz      NOT NULL,
    ended_at         timestamptz      NOT NULL,
    duration_ms      real NOT NULL,
    attempt          integer          NOT NULL,
    task_id          text             NOT NULL,
    task_type        text             NOT NULL,
    outcome          text             NOT NULL,
    worker_id        text             NOT NULL,
    error_type       text,
    error_message    text,
    CONSTRAINT task_attempts_pkey PRIMARY KEY (task_id, attempt),
    CONSTRAINT outcome_is_known CHECK (outcome IN
        ('completed', 'failed', 'timeout', 'cancelled', 'retry_scheduled', 'snoozed', 'released', 'rescued'))
);

CREATE FUNCTION fence_tag() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 16718::bigint $$;

CREATE FUNCTION fence_append() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _transaction text := pg_current_xact_id()::text;
BEGIN
    IF current_setting('annals.fence', true) IS DISTINCT FROM _transaction THEN
        PERFORM pg_advisory_xact_lock_shared(
            fence_tag() << 48 | coalesce(pg_sequence_last_value('public.events_position'), 0));
        PERFORM set_config('annals.fence', _transaction, true);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER fence_append BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION fence_append();

CREATE FUNCTION priority_class(priority smallint) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN priority <= 3 THEN 1 WHEN priority <= 7 THEN 2 ELSE 3 END::smallint;

CREATE FUNCTION enqueue(tasks jsonb) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER SET search_path=public,pg_temp AS $$
DECLARE _at timestamptz := clock_timestamp();
BEGIN
  INSERT INTO lanes(queue,class) SELECT 'default',2 WHERE NOT EXISTS (SELECT FROM lanes WHERE queue='default' AND class=2);
  RETURN QUERY INSERT INTO events(stream_type, stream_id, version, type, data, actor, correlation_id, recorded_at)
  SELECT 'task', coalesce(r.task_id,new_id()), 1, 'task.enqueued',
   jsonb_strip_nulls(jsonb_build_object('task_type', r.task_type, 'queue', coalesce(r.queue,'default'), 'priority', coalesce(r.priority,5), 'params', r.params, 'max_attempts', 3, 'backoff', '{"kind":"exponential"}'::jsonb, 'timeout_seconds', 300,'run_at', r.run_at,'unique_key',r.unique_key,'webhook_url',r.webhook_url,'subject',r.subject)),
   'api:test', NULL, _at
   FROM jsonb_to_recordset(tasks) AS r(task_id text, task_type text, queue text, priority smallint, params jsonb, run_at timestamptz, unique_key text, webhook_url text, subject text)
  RETURNING stream_id;
END $$;

CREATE FUNCTION new_id() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT 'task-'||nextval('task_number') $$;
CREATE FUNCTION claim(worker text, queues text[], types text[], slots int, mark bigint DEFAULT 0)
RETURNS TABLE(task_id text, lease int, attempt int, task_type text, params jsonb, lane smallint, ready_position bigint) LANGUAGE plpgsql SECURITY DEFINER SET search_path=public,pg_temp
SET enable_seqscan=off SET enable_bitmapscan=off SET enable_sort=off AS $$
DECLARE _at timestamptz := clock_timestamp(); _lane record; _got background_tasks[]; _more background_tasks[]; _left int := slots;
BEGIN
 FOR _lane IN SELECT l.lane FROM lanes l WHERE l.queue = ANY(queues) ORDER BY l.class, l.lane LOOP
   SELECT array_agg(x.t) INTO _more FROM (SELECT t FROM background_tasks t WHERE t.lane=_lane.lane AND t.status='pending' AND t.ready_position IS NULL AND t.run_at <= _at AND t.task_type = ANY(types) ORDER BY t.run_at LIMIT _left FOR UPDATE SKIP LOCKED) x;
   IF _more IS NOT NULL THEN _got := _got || _more; _left := _left - cardinality(_more); END IF;
   EXIT WHEN _left = 0;
   SELECT array_agg(x.t) INTO _more FROM (SELECT t FROM background_tasks t WHERE t.lane=_lane.lane AND t.status='pending' AND t.ready_position >= mark AND t.task_type = ANY(types) ORDER BY t.ready_position LIMIT _left FOR UPDATE SKIP LOCKED) x;
   IF _more IS NOT NULL THEN _got := _got || _more; _left := _left - cardinality(_more); END IF;
   EXIT WHEN _left = 0;
 END LOOP;
 IF _got IS NULL THEN RETURN; END IF;
 INSERT INTO events(stream_type, stream_id, version, type, data, actor, correlation_id, recorded_at)
 SELECT 'task', g.task_id, g.version+1, 'task.started', jsonb_build_object('attempt', g.attempt+1, 'worker_id', worker), 'worker:'||worker, NULL, _at FROM unnest(_got) g;
 RETURN QUERY SELECT g.task_id, g.version+1, g.attempt+1, g.task_type, e.data->'params', g.lane, g.ready_position FROM unnest(_got) g JOIN LATERAL (SELECT x.data FROM events x WHERE x.position=g.enqueued_position OFFSET 0) e ON true;
END $$;
CREATE TYPE verdict AS (task_id text, lease int, version int, attempt int, task_type text, outcome text, event_type text, data jsonb, correlation_id text);
CREATE FUNCTION finish(worker text, task_ids text[], leases int[], outcomes text[], details jsonb[]) RETURNS TABLE(task_id text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path=public,pg_temp SET enable_seqscan=off SET enable_bitmapscan=off SET enable_hashjoin=off SET enable_mergejoin=off AS $$
DECLARE _at timestamptz := clock_timestamp(); _v verdict[];
BEGIN
 SELECT array_agg(ROW(g.task_id, g.lease, t.version, t.attempt, t.task_type, CASE WHEN t.task_id IS NULL THEN 'not_found' WHEN t.status<>'running' OR t.lease<>g.lease THEN 'lease_lost' ELSE g.outcome END,
    CASE WHEN t.task_id IS NULL THEN NULL WHEN t.status<>'running' OR t.lease<>g.lease THEN 'task.completion_refused' WHEN t.cancellation_requested THEN 'task.cancelled' ELSE 'task.completed' END,
    jsonb_build_object('attempt', t.attempt) || g.detail, NULL)::verdict) INTO _v
 FROM (SELECT * FROM unnest(task_ids, leases, outcomes, details) AS u(task_id, lease, outcome, detail) ORDER BY u.task_id) g
 LEFT JOIN LATERAL (SELECT b.task_id, b.version, b.attempt, b.task_type, b.status, b.lease, b.cancellation_requested FROM background_tasks b WHERE b.task_id = g.task_id FOR UPDATE) t ON true;
 INSERT INTO events(stream_type, stream_id, version, type, data, actor, correlation_id, recorded_at)
 SELECT 'task', v.task_id, v.version+1, v.event_type, v.data, 'worker:'||worker, v.correlation_id, _at FROM unnest(_v) v WHERE v.event_type IS NOT NULL;
 RETURN QUERY SELECT v.task_id, v.outcome FROM unnest(_v) v;
END $$;
CREATE FUNCTION fold() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin=off SET enable_mergejoin=off SET enable_seqscan=off SET enable_bitmapscan=off AS $$
DECLARE _types text[] := ARRAY(SELECT DISTINCT type FROM appended);
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
        FROM appended e
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
CREATE TRIGGER fold AFTER INSERT ON events REFERENCING NEW TABLE AS appended FOR EACH STATEMENT EXECUTE FUNCTION fold();
