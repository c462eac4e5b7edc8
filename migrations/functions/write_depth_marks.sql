-- Writes the depth marks after the last one, up to a position that must be settled: extend_depth_marks asks.
--
-- One for each stretch of `spacing` positions in which there is an event, so that counts anywhere need at
-- most half of a stretch. Marks need not lie evenly: what is between two of them is always read from the log.
--
--   SELECT write_depth_marks(stable_position(), 2000);

CREATE FUNCTION write_depth_marks("until" bigint, spacing integer) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    _until constant bigint := write_depth_marks."until" / write_depth_marks.spacing * write_depth_marks.spacing;
    _last  depth_marks;
BEGIN
    SELECT m.* INTO _last FROM depth_marks m ORDER BY m.position DESC LIMIT 1;
    _last.position := coalesce(_last.position, 0);
    IF _until <= _last.position THEN
        RETURN;  -- asked every second: the statement below is not even planned
    END IF;
    INSERT INTO depth_marks (position, newest_created_at, counts)
    WITH marks AS MATERIALIZED (
        SELECT (e.position + spacing - 1) / spacing * spacing AS mark,
               max(coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at)) FILTER (WHERE e.type = 'task.enqueued') AS newest
        FROM events e WHERE e.position > _last.position AND e.position <= _until GROUP BY 1),
    changes AS MATERIALIZED (
        SELECT (c.position + spacing - 1) / spacing * spacing AS mark, c.lane, c.status, sum(c.tasks) AS tasks
        FROM depth_changes(_last.position, _until) c GROUP BY 1, 2, 3),
    known AS (
        SELECT c.lane, c.status, c.tasks FROM unnest(_last.counts) c
        UNION ALL
        SELECT DISTINCT c.lane, c.status, 0 FROM changes c
        WHERE NOT EXISTS (SELECT FROM unnest(_last.counts) k WHERE k.lane = c.lane AND k.status = c.status)),
    totals AS MATERIALIZED (
        SELECT m.mark, k.lane, k.status,
               k.tasks + sum(coalesce(c.tasks, 0)) OVER (PARTITION BY k.lane, k.status ORDER BY m.mark) AS tasks
        FROM marks m CROSS JOIN known k
        LEFT JOIN changes c ON c.mark = m.mark AND c.lane = k.lane AND c.status = k.status)
    SELECT m.mark, greatest(_last.newest_created_at, max(m.newest) OVER (ORDER BY m.mark)),
           coalesce((SELECT array_agg(ROW(t.lane, t.status, t.tasks)::lane_count ORDER BY t.lane, t.status)
                     FROM totals t WHERE t.mark = m.mark AND t.tasks <> 0), '{}')
    FROM marks m;
END $$;
