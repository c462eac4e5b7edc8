-- The life of a task from the log: each event, who caused it and why, how long after the one before, what it changed.
--
-- status and attempt are those after the event. changes is {column: [before, after]} of what a person wants to see
-- change: positions, lease, lane and times that repeat the event's own are left out. It also tells of a task whose
-- row is gone: what took the row, the end of its agent or retention, is a line with neither version nor status.
-- Its webhooks are told among its own events, without a version: they have streams of their own.
-- One pass over the stream: the state is folded from event to event, nothing is written. With `until` it ends at a
-- position, which must be settled. No rows for a task that never was.
--
--   SELECT version, type, actor, reason, gap, status, changes FROM task_history('task-100000001');

CREATE FUNCTION task_history(task_id text, until bigint DEFAULT NULL)
RETURNS TABLE ("position" bigint, version integer, type text, actor text, reason text, recorded_at timestamptz, gap interval,
               status text, attempt integer, changes jsonb, data jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    _plumbing constant text[] := '{task_id, agent_id, lane, version, lease, enqueued_position, queued_position, started_position,
                                   ready_position, changed_position, created_at, started_at, completed_at}';
BEGIN
    IF task_history.until IS NOT NULL THEN
        PERFORM require_settled(task_history.until);
    END IF;
    RETURN QUERY
        WITH life AS (
            SELECT e.position, e.version, e.type, e.actor, e.recorded_at, e.data, task_state(e) OVER (ORDER BY e.version) AS state
            FROM events e
            WHERE e.stream_type = 'task' AND e.stream_id = task_history.task_id
              AND e.position <= coalesce(task_history.until, e.position)
            UNION ALL
            SELECT g.position, NULL, g.type, g.actor, g.recorded_at, g.data, NULL
            FROM removal_of_task(task_history.task_id) g
            WHERE g.position <= coalesce(task_history.until, g.position)
            UNION ALL
            SELECT w.position, NULL, w.type, w.actor, w.recorded_at, w.data, NULL
            FROM deliveries_of_task(task_history.task_id) w
            WHERE w.position <= coalesce(task_history.until, w.position)),
        -- A row as JSON once for each event: made where it is compared, it would be made for each column.
        states AS MATERIALIZED (
            SELECT l.*, to_jsonb(l.state) - _plumbing AS own,
                   count(*) FILTER (WHERE l.type NOT LIKE 'webhook.%') OVER by_position AS turn,
                   count(*) FILTER (WHERE l.type = 'webhook.attempt_failed') OVER by_position AS failures
            FROM life l
            WINDOW by_position AS (ORDER BY l.position)),
        rows AS MATERIALIZED (
            SELECT s.*, CASE WHEN s.failures = 0 THEN s.kept
                             ELSE s.kept || jsonb_build_object('webhook_retry_count', s.failures) END AS now
            FROM (SELECT x.*, first_value(x.own) OVER (PARTITION BY x.turn ORDER BY x.position) AS kept FROM states x) s),
        pairs AS MATERIALIZED (
            SELECT r.*, lag(r.now) OVER by_position AS before, lag(r.recorded_at) OVER by_position AS recorded_before
            FROM rows r
            WINDOW by_position AS (ORDER BY r.position))
        SELECT p.position, p.version, p.type, p.actor, event_reason(p.type, p.data), p.recorded_at,
               p.recorded_at - p.recorded_before, p.now ->> 'status', (p.now ->> 'attempt')::integer,
               (SELECT coalesce(jsonb_object_agg(n.key, jsonb_build_array(p.before -> n.key, n.value)), '{}')
                FROM jsonb_each(p.now) n
                WHERE n.value <> coalesce(p.before -> n.key, 'null')
                  AND (p.before IS NOT NULL OR n.value NOT IN ('0', 'false'))),
               p.data
        FROM pairs p
        ORDER BY p.position;
END $$;
