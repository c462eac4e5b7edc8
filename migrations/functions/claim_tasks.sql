-- Claims up to `slots` tasks for a worker: lane by lane, high class first, first in first out inside a lane.
--
-- Each lane is scanned twice: tasks whose run_at has come, then tasks that were ready at once. Rows that
-- another worker is claiming are skipped, not waited for. `marks` says where the scan of a lane may
-- start, so that a claim does not wade through the dead entries that it and others left behind while a
-- long transaction keeps them from being vacuumed; a mark is only a saving, the caller looks from the
-- start now and then. Nothing is appended, and no transaction id is drawn, when nothing is claimed. The plans
-- are generic: a claim that finds nothing, which is what idle workers do, would spend most of its time on planning.
--
--   SELECT task_id, lease, params FROM claim_tasks('psql-1', '{default}', '{noop}', 1);

CREATE FUNCTION claim_tasks(
    worker_id  text,
    queues     text[],
    task_types text[],
    slots      integer,
    marks      lane_mark[]  DEFAULT '{}',
    at         timestamptz  DEFAULT clock_timestamp()
) RETURNS TABLE (
    task_id text, task_type text, lease integer, attempt integer, failures smallint, max_attempts smallint, timeout_seconds real,
    queue text, priority smallint, subject text, params jsonb, checkpoint jsonb, correlation_id text, trace text,
    created_at timestamptz, enqueued_position bigint, lane smallint, ready_position bigint, run_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    _lane   record;
    _found  background_tasks[];
    _picked background_tasks[] := '{}';
    _left   integer := coalesce(claim_tasks.slots, 0);  -- LIMIT NULL would take everything
    _first  constant jsonb := jsonb_build_object('attempt', 1, 'worker_id', claim_tasks.worker_id);  -- of nearly every task
BEGIN
    FOR _lane IN
        SELECT l.lane, m.ready_position, m.run_at
        FROM lanes l
        LEFT JOIN unnest(claim_tasks.marks) m ON m.lane = l.lane
        WHERE l.queue = ANY (claim_tasks.queues)
          AND NOT EXISTS (SELECT FROM queues q WHERE q.queue = l.queue AND q.paused)
        ORDER BY l.class, l.lane
    LOOP
        EXIT WHEN _left <= 0;
        SELECT array_agg(c.t) INTO _found FROM (
            SELECT t FROM background_tasks t
            WHERE t.lane = _lane.lane AND t.status = 'pending' AND t.ready_position IS NULL
              AND t.run_at >= coalesce(_lane.run_at, '-infinity') AND t.run_at <= claim_tasks.at
              AND t.task_type = ANY (claim_tasks.task_types)
            ORDER BY t.run_at LIMIT _left FOR UPDATE SKIP LOCKED) c;
        _picked := _picked || coalesce(_found, '{}');
        _left := claim_tasks.slots - cardinality(_picked);
        EXIT WHEN _left <= 0;
        SELECT array_agg(c.t) INTO _found FROM (
            SELECT t FROM background_tasks t
            WHERE t.lane = _lane.lane AND t.status = 'pending' AND t.ready_position >= coalesce(_lane.ready_position, 0)
              AND t.task_type = ANY (claim_tasks.task_types)
            ORDER BY t.ready_position LIMIT _left FOR UPDATE SKIP LOCKED) c;
        _picked := _picked || coalesce(_found, '{}');
        _left := claim_tasks.slots - cardinality(_picked);
    END LOOP;
    IF _picked = '{}' THEN
        RETURN;
    END IF;
    -- What never changes stayed in the task.enqueued event; it is fetched by position.
    RETURN QUERY
        WITH started AS MATERIALIZED (
            SELECT p.task_id, p.task_type, p.version + 1 AS lease, p.attempt + 1 AS attempt, p.failures, p.max_attempts, p.timeout_seconds,
                   p.queue, p.priority, p.subject, e.params, p.checkpoint, p.correlation_id, e.trace,
                   p.created_at, p.enqueued_position, p.lane, p.ready_position, p.run_at
            FROM unnest(_picked) p
            CROSS JOIN LATERAL (SELECT x.data -> 'params' AS params, x.trace FROM events x
                                WHERE x.position = p.enqueued_position OFFSET 0) e),
        appended AS MATERIALIZED (
            SELECT append_transitions(
                ARRAY(SELECT ROW(s.task_id, s.task_type, s.subject, s.lease, 'task.started',
                                 CASE s.attempt WHEN 1 THEN _first
                                      ELSE jsonb_build_object('attempt', s.attempt, 'worker_id', claim_tasks.worker_id) END,
                                 s.correlation_id)::transition FROM started s),
                '{}', 'worker:' || claim_tasks.worker_id, claim_tasks.at))
        SELECT s.* FROM appended, started s;
END $$;
