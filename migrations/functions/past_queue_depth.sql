-- Tasks by queue, priority class and status at a position, which must be settled: queue_depth_at asks that.
--
-- The counts of the nearest depth mark, below or above, and what the events in between changed. Queues
-- without any task there are left out.
--
--   SELECT * FROM past_queue_depth(3);

CREATE FUNCTION past_queue_depth("position" bigint)
RETURNS TABLE (queue text, class text, paused boolean, pending bigint, running bigint, completed bigint, failed bigint,
               cancelled bigint, timeout bigint)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    _place constant bigint := past_queue_depth."position";
    _mark  depth_marks;
    _above depth_marks;
BEGIN
    SELECT m.* INTO _mark FROM depth_marks m WHERE m.position <= _place ORDER BY m.position DESC LIMIT 1;
    SELECT m.* INTO _above FROM depth_marks m WHERE m.position > _place ORDER BY m.position LIMIT 1;
    _mark.position := coalesce(_mark.position, 0);
    IF _above.position - _place < _place - _mark.position THEN
        _mark := _above;
    END IF;
    RETURN QUERY
        WITH changes AS (
            SELECT c.lane, c.status, c.tasks FROM unnest(_mark.counts) c
            UNION ALL
            SELECT c.lane, c.status, c.tasks * sign(_place - _mark.position)::integer
            FROM depth_changes(least(_place, _mark.position), greatest(_place, _mark.position)) c),
        depths AS (
            SELECT l.queue, l.class,
                   coalesce(sum(c.tasks) FILTER (WHERE c.status = 'pending'), 0)::bigint AS pending,
                   coalesce(sum(c.tasks) FILTER (WHERE c.status = 'running'), 0)::bigint AS running,
                   coalesce(sum(c.tasks) FILTER (WHERE c.status = 'completed'), 0)::bigint AS completed,
                   coalesce(sum(c.tasks) FILTER (WHERE c.status = 'failed'), 0)::bigint AS failed,
                   coalesce(sum(c.tasks) FILTER (WHERE c.status = 'cancelled'), 0)::bigint AS cancelled,
                   coalesce(sum(c.tasks) FILTER (WHERE c.status = 'timeout'), 0)::bigint AS timeout
            FROM changes c JOIN lanes l ON l.lane = c.lane
            GROUP BY l.queue, l.class)
        SELECT d.queue, CASE d.class WHEN 1 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END,
               coalesce((SELECT e.type = 'queue.paused' FROM events e
                         WHERE e.stream_type = 'queue' AND e.stream_id = d.queue AND e.position <= _place
                         ORDER BY e.version DESC LIMIT 1), false),
               d.pending, d.running, d.completed, d.failed, d.cancelled, d.timeout
        FROM depths d
        WHERE d.pending + d.running + d.completed + d.failed + d.cancelled + d.timeout > 0
        ORDER BY d.queue, d.class;
END $$;
