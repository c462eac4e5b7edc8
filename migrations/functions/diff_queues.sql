-- How many tasks each queue had in each status at two positions.
--
--   SELECT queue, status, before, after, after - before AS change FROM diff_queues(0, 1);

CREATE FUNCTION diff_queues(earlier bigint, later bigint)
RETURNS TABLE (queue text, status text, before bigint, "after" bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_stretch(diff_queues.earlier, diff_queues.later);
    RETURN QUERY
        SELECT d.queue, s.status, coalesce(sum(s.tasks) FILTER (WHERE NOT d.is_later), 0)::bigint,
               coalesce(sum(s.tasks) FILTER (WHERE d.is_later), 0)::bigint
        FROM (SELECT false AS is_later, p.* FROM past_queue_depth(diff_queues.earlier) p
              UNION ALL SELECT true, p.* FROM past_queue_depth(diff_queues.later) p) d
        CROSS JOIN LATERAL (VALUES ('pending', d.pending), ('running', d.running), ('completed', d.completed),
                                   ('failed', d.failed), ('cancelled', d.cancelled), ('timeout', d.timeout)) s (status, tasks)
        GROUP BY d.queue, s.status
        HAVING sum(s.tasks) > 0
        ORDER BY d.queue, s.status;
END $$;
