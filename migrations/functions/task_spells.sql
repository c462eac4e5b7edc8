-- The spells of a task's life: from one status to the next, with the moment inside at which it turned.
--
-- A pending spell turns when the task becomes claimable; a running spell that ends in a rescue turns at the last
-- sign of life of its worker, any other at its end; an end turns when its webhook was delivered or given up, if one
-- was asked for. Spells follow each other without a hole: a clock that was set back stands still here. Progress is not
-- read, so a long report of it costs nothing. `at` ends an open life, or the time of position `until` does. The spell
-- of a final end is told as long as its webhook takes.
--
--   SELECT status, began_at, turned_at, ended_at FROM task_spells('task-100000001');

CREATE FUNCTION task_spells(task_id text, until bigint DEFAULT NULL, at timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (status text, queue text, began_by text, began_at timestamptz, turned_at timestamptz, ended_at timestamptz)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH latest AS (
        SELECT CASE WHEN task_spells.until IS NULL THEN task_spells.at
                    ELSE (SELECT e.recorded_at FROM events e WHERE e.position <= task_spells.until ORDER BY e.position DESC LIMIT 1)
               END AS at),
    deliveries AS MATERIALIZED (
        SELECT min(w.causation_id) AS of, (array_agg(w.type ORDER BY w.position))[1] = 'webhook.requested' AS asked,
               (array_agg(w.recorded_at ORDER BY w.position) FILTER (WHERE w.type IN ('webhook.delivered', 'webhook.abandoned')))[1] AS over_at
        FROM deliveries_of_task(task_spells.task_id) w
        WHERE w.position <= coalesce(task_spells.until, w.position)
        GROUP BY w.stream_id),
    turns AS (
        SELECT e.position, e.type, e.data, e.version,
               coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at) AS told_at,
               task_state(e) OVER (ORDER BY e.version) AS state
        FROM events e
        WHERE e.stream_type = 'task' AND e.stream_id = task_spells.task_id AND e.type <> 'task.progressed'
          AND e.position <= coalesce(task_spells.until, e.position)
        UNION ALL
        SELECT g.position, g.type, g.data, NULL, g.recorded_at, NULL
        FROM removal_of_task(task_spells.task_id) g
        WHERE g.position <= coalesce(task_spells.until, g.position)),
    changed AS (
        SELECT t.*, max(t.told_at) OVER so_far AS at, lag((t.state).status) OVER so_far AS status_before
        FROM turns t
        WINDOW so_far AS (ORDER BY t.position)),
    spells AS (
        SELECT c.*, lead(c.position) OVER after AS next_position, lead(c.type) OVER after AS next_type,
               lead(c.data) OVER after AS next_data, lead(c.at) OVER after AS next_at
        FROM changed c
        WHERE (c.state).status IS DISTINCT FROM c.status_before
        WINDOW after AS (ORDER BY c.position)),
    ends AS (
        SELECT s.*, greatest(s.at, coalesce(d.over_at, l.at)) AS told_until,
               CASE WHEN (s.state).status IN ('pending', 'running') THEN coalesce(s.next_at, greatest(s.at, l.at))
                    WHEN s.next_type NOT IN ('agent.deleted', 'retention.applied') THEN s.next_at
                    WHEN d.of IS NOT NULL THEN greatest(s.at, coalesce(d.over_at, l.at)) END AS ended_at,
               d.of IS NOT NULL AS has_webhook
        FROM spells s
        CROSS JOIN latest l
        LEFT JOIN deliveries d ON d.asked AND d.of = s.position)
    SELECT (s.state).status, (s.state).queue, s.type, s.at,
           CASE WHEN (s.state).status = 'pending' AND (s.state).ready_position IS NOT NULL THEN s.at
                WHEN (s.state).status = 'pending' THEN least(greatest(s.at, (s.state).run_at), s.ended_at)
                WHEN (s.state).status = 'running' AND (s.next_type = 'task.rescued' OR s.next_data ->> 'reason' = 'worker_lost'
                     OR s.next_type = 'task.cancelled' AND s.next_data ? 'worker_id')
                THEN least(s.ended_at, greatest(s.at, last_sign_of_life((s.state).worker_id),
                           (SELECT max(e.recorded_at) FROM events e
                            WHERE e.stream_type = 'task' AND e.stream_id = task_spells.task_id AND e.type = 'task.progressed'
                              AND e.position BETWEEN s.position AND s.next_position)))
                WHEN (s.state).status = 'running' THEN s.ended_at
                WHEN s.has_webhook THEN least(s.told_until, s.ended_at)
                ELSE s.at END,
           s.ended_at
    FROM ends s
    WHERE s.ended_at IS NOT NULL AND s.state IS DISTINCT FROM NULL
    ORDER BY s.position
$$;
