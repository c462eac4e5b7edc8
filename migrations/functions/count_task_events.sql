-- Adds the task events of a stretch of the log to task_counts and task_totals; with sign -1 takes them off again.
--
-- The stretch is (after, until], which the caller knows to be settled; only the events at the positions of
-- chosen, or without it all but those that the follower task_counts has parked, which were not counted. The
-- hour is that of the log, so that counting anew gives the same rows. A task waits from the event that made it
-- claimable, or from its run_at if that is later.
--
--   SELECT count_task_events(0, 1000);

CREATE FUNCTION count_task_events("after" bigint, until bigint, sign integer DEFAULT 1, chosen bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _types constant text[] := ARRAY['task.enqueued', 'task.started', 'task.completed', 'task.retry_scheduled', 'task.failed',
                                    'task.timed_out', 'task.cancelled', 'task.rescued'];
    _rows  bigint;
BEGIN
    IF num_nulls(count_task_events."after", count_task_events.until) > 0 OR count_task_events.sign NOT IN (1, -1) THEN
        RAISE EXCEPTION 'a count needs two positions and a sign of 1 or -1' USING ERRCODE = 'AN422';
    END IF;
    IF count_task_events.sign < 0 THEN
        PERFORM keep_totals();
    END IF;
    WITH happened AS MATERIALIZED (
        SELECT e.type, date_trunc('hour', e.recorded_at, 'UTC') AS hour,
               CASE e.type WHEN 'task.completed' THEN (e.data ->> 'duration_ms')::numeric END AS duration_ms,
               CASE e.type WHEN 'task.started' THEN (
                   SELECT extract(epoch FROM greatest(
                              coalesce((e.data ->> 'occurred_at')::timestamptz, e.recorded_at)
                              - greatest(coalesce((q.data ->> 'occurred_at')::timestamptz, q.recorded_at), (q.data ->> 'run_at')::timestamptz),
                              interval '0')) * 1000
                   FROM events q
                   WHERE q.stream_type = 'task' AND q.stream_id = e.stream_id AND q.version < e.version
                     AND status_after(q.type) = 'pending'
                   ORDER BY q.version DESC LIMIT 1) END AS wait_ms,
               (SELECT f.data ->> 'task_type' FROM events f
                WHERE f.stream_type = 'task' AND f.stream_id = e.stream_id AND f.version = 1) AS task_type
        FROM (SELECT unnest(count_task_events.chosen) AS position
              UNION ALL
              SELECT x.position FROM events x
              WHERE count_task_events.chosen IS NULL
                AND x.position > count_task_events."after" AND x.position <= count_task_events.until
                AND NOT EXISTS (SELECT FROM parked_events p WHERE p.follower = 'task_counts' AND p.position = x.position)) w
        JOIN events e USING (position)
        WHERE e.type = ANY (_types)),
    found AS MATERIALIZED (
        SELECT h.task_type, h.hour, s.sign,
               s.sign * count(*) FILTER (WHERE h.type = 'task.enqueued') AS enqueued,
               s.sign * count(*) FILTER (WHERE h.type = 'task.started') AS started,
               s.sign * count(*) FILTER (WHERE h.type = 'task.completed') AS completed,
               s.sign * count(*) FILTER (WHERE h.type = 'task.retry_scheduled') AS retried,
               s.sign * count(*) FILTER (WHERE h.type = 'task.failed') AS failed,
               s.sign * count(*) FILTER (WHERE h.type = 'task.timed_out') AS timed_out,
               s.sign * count(*) FILTER (WHERE h.type = 'task.cancelled') AS cancelled,
               s.sign * count(*) FILTER (WHERE h.type = 'task.rescued') AS rescued,
               s.sign * coalesce(sum(h.duration_ms), 0) AS duration_ms, s.sign * coalesce(sum(h.wait_ms), 0) AS wait_ms,
               bucket_counts(array_agg(h.duration_ms), s.sign) AS duration_buckets,
               bucket_counts(array_agg(h.wait_ms), s.sign) AS wait_buckets
        FROM happened h, (SELECT count_task_events.sign) s
        WHERE h.task_type IS NOT NULL
        GROUP BY h.task_type, h.hour, s.sign),
    hours AS (
        INSERT INTO task_counts AS c (task_type, hour, enqueued, started, completed, retried, failed, timed_out, cancelled, rescued,
                                      duration_ms, wait_ms, duration_buckets, wait_buckets)
        SELECT f.task_type, f.hour, f.enqueued, f.started, f.completed, f.retried, f.failed, f.timed_out, f.cancelled, f.rescued,
               f.duration_ms, f.wait_ms, f.duration_buckets, f.wait_buckets
        FROM found f ORDER BY f.task_type, f.hour
        ON CONFLICT ON CONSTRAINT task_counts_pkey DO UPDATE
            SET enqueued = c.enqueued + excluded.enqueued, started = c.started + excluded.started,
                completed = c.completed + excluded.completed, retried = c.retried + excluded.retried,
                failed = c.failed + excluded.failed, timed_out = c.timed_out + excluded.timed_out,
                cancelled = c.cancelled + excluded.cancelled, rescued = c.rescued + excluded.rescued,
                duration_ms = c.duration_ms + excluded.duration_ms, wait_ms = c.wait_ms + excluded.wait_ms,
                duration_buckets = add_buckets(c.duration_buckets, excluded.duration_buckets),
                wait_buckets = add_buckets(c.wait_buckets, excluded.wait_buckets)
        RETURNING 1),
    totals AS (
        INSERT INTO task_totals AS c (task_type, rewound, enqueued, started, completed, retried, failed, timed_out, cancelled, rescued,
                                      duration_ms, wait_ms, duration_buckets, wait_buckets)
        SELECT f.task_type, false, sum(f.enqueued), sum(f.started), sum(f.completed), sum(f.retried), sum(f.failed), sum(f.timed_out),
               sum(f.cancelled), sum(f.rescued), sum(f.duration_ms), sum(f.wait_ms), sum_buckets(f.duration_buckets), sum_buckets(f.wait_buckets)
        FROM found f GROUP BY f.task_type ORDER BY f.task_type
        ON CONFLICT ON CONSTRAINT task_totals_pkey DO UPDATE
            SET enqueued = c.enqueued + excluded.enqueued, started = c.started + excluded.started,
                completed = c.completed + excluded.completed, retried = c.retried + excluded.retried,
                failed = c.failed + excluded.failed, timed_out = c.timed_out + excluded.timed_out,
                cancelled = c.cancelled + excluded.cancelled, rescued = c.rescued + excluded.rescued,
                duration_ms = c.duration_ms + excluded.duration_ms, wait_ms = c.wait_ms + excluded.wait_ms,
                duration_buckets = add_buckets(c.duration_buckets, excluded.duration_buckets),
                wait_buckets = add_buckets(c.wait_buckets, excluded.wait_buckets))
    SELECT count(*) INTO _rows FROM hours;
    RETURN _rows;
END $$;
