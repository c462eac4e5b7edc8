-- Adds the task events of a stretch of the log to task_counts; with sign -1 takes them off again.
--
-- The stretch is (after, until], which the caller knows to be settled; only the events at the positions of
-- chosen, or without it all but those that the follower task_counts has parked, which were not counted. The
-- hour is that of the log, so that counting anew gives the same rows.
--
--   SELECT count_task_events(0, 1000);

CREATE FUNCTION count_task_events("after" bigint, until bigint, sign integer DEFAULT 1, chosen bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _rows bigint;
BEGIN
    IF num_nulls(count_task_events."after", count_task_events.until) > 0 OR count_task_events.sign NOT IN (1, -1) THEN
        RAISE EXCEPTION 'a count needs two positions and a sign of 1 or -1' USING ERRCODE = 'AN422';
    END IF;
    WITH happened AS (
        SELECT e.type, e.stream_id, date_trunc('hour', e.recorded_at, 'UTC') AS hour, e.data,
               (SELECT f.data ->> 'task_type' FROM events f
                WHERE f.stream_type = 'task' AND f.stream_id = e.stream_id AND f.version = 1) AS task_type
        FROM (SELECT unnest(count_task_events.chosen) AS position
              UNION ALL
              SELECT x.position FROM events x
              WHERE count_task_events.chosen IS NULL
                AND x.position > count_task_events."after" AND x.position <= count_task_events.until
                AND NOT EXISTS (SELECT FROM parked_events p WHERE p.follower = 'task_counts' AND p.position = x.position)) w
        JOIN events e USING (position)
        WHERE e.type IN ('task.enqueued', 'task.started', 'task.completed', 'task.retry_scheduled', 'task.failed',
                         'task.timed_out', 'task.cancelled'))
    INSERT INTO task_counts AS c (task_type, hour, enqueued, started, completed, retried, failed, timed_out, cancelled, duration_ms)
    SELECT h.task_type, h.hour,
           s.sign * count(*) FILTER (WHERE h.type = 'task.enqueued'), s.sign * count(*) FILTER (WHERE h.type = 'task.started'),
           s.sign * count(*) FILTER (WHERE h.type = 'task.completed'), s.sign * count(*) FILTER (WHERE h.type = 'task.retry_scheduled'),
           s.sign * count(*) FILTER (WHERE h.type = 'task.failed'), s.sign * count(*) FILTER (WHERE h.type = 'task.timed_out'),
           s.sign * count(*) FILTER (WHERE h.type = 'task.cancelled'),
           s.sign * coalesce(sum(round((h.data ->> 'duration_ms')::numeric)) FILTER (WHERE h.type = 'task.completed'), 0)
    FROM happened h, (SELECT count_task_events.sign) s
    WHERE h.task_type IS NOT NULL
    GROUP BY h.task_type, h.hour, s.sign
    ORDER BY h.task_type, h.hour
    ON CONFLICT ON CONSTRAINT task_counts_pkey DO UPDATE
        SET enqueued = c.enqueued + excluded.enqueued, started = c.started + excluded.started,
            completed = c.completed + excluded.completed, retried = c.retried + excluded.retried,
            failed = c.failed + excluded.failed, timed_out = c.timed_out + excluded.timed_out,
            cancelled = c.cancelled + excluded.cancelled, duration_ms = c.duration_ms + excluded.duration_ms;
    GET DIAGNOSTICS _rows = ROW_COUNT;
    RETURN _rows;
END $$;
