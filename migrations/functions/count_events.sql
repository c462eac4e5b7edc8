-- Adds events of webhooks, workers and schedules to event_counts and event_totals; with sign -1 takes them off.
--
-- The stretch is (after, until], which the caller knows to be settled; only the events at the positions of
-- chosen, or without it all but those that the follower event_counts has parked, which were not counted.
--
--   SELECT count_events(0, 1000);

CREATE FUNCTION count_events("after" bigint, until bigint, sign integer DEFAULT 1, chosen bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _types constant text[] := ARRAY['webhook.requested', 'webhook.attempt_failed', 'webhook.delivered', 'webhook.abandoned',
                                    'webhook.skipped', 'worker.started', 'worker.lost', 'schedule.fired', 'follower.parked'];
    _rows  bigint;
BEGIN
    IF num_nulls(count_events."after", count_events.until) > 0 OR count_events.sign NOT IN (1, -1) THEN
        RAISE EXCEPTION 'a count needs two positions and a sign of 1 or -1' USING ERRCODE = 'AN422';
    END IF;
    IF count_events.sign < 0 THEN
        PERFORM keep_totals();
    END IF;
    WITH found AS MATERIALIZED (
        SELECT e.type, date_trunc('hour', e.recorded_at, 'UTC') AS hour, s.sign * count(*) AS events,
               s.sign * coalesce(sum((e.data ->> 'latency_ms')::numeric), 0) AS latency_ms,
               bucket_counts(array_agg((e.data ->> 'latency_ms')::numeric), s.sign) AS latency_buckets
        FROM (SELECT unnest(count_events.chosen) AS position
              UNION ALL
              SELECT x.position FROM events x
              WHERE count_events.chosen IS NULL AND x.position > count_events."after" AND x.position <= count_events.until
                AND NOT EXISTS (SELECT FROM parked_events p WHERE p.follower = 'event_counts' AND p.position = x.position)) w
        JOIN events e USING (position), (SELECT count_events.sign) s
        WHERE e.type = ANY (_types)
        GROUP BY 1, 2, s.sign),
    hours AS (
        INSERT INTO event_counts AS c (type, hour, events, latency_ms, latency_buckets)
        SELECT f.type, f.hour, f.events, f.latency_ms, f.latency_buckets FROM found f ORDER BY f.type, f.hour
        ON CONFLICT ON CONSTRAINT event_counts_pkey DO UPDATE
            SET events = c.events + excluded.events, latency_ms = c.latency_ms + excluded.latency_ms,
                latency_buckets = add_buckets(c.latency_buckets, excluded.latency_buckets)
        RETURNING 1),
    totals AS (
        INSERT INTO event_totals AS c (type, rewound, events, latency_ms, latency_buckets)
        SELECT f.type, false, sum(f.events), sum(f.latency_ms), sum_buckets(f.latency_buckets) FROM found f GROUP BY f.type ORDER BY f.type
        ON CONFLICT ON CONSTRAINT event_totals_pkey DO UPDATE
            SET events = c.events + excluded.events, latency_ms = c.latency_ms + excluded.latency_ms,
                latency_buckets = add_buckets(c.latency_buckets, excluded.latency_buckets))
    SELECT count(*) INTO _rows FROM hours;
    RETURN _rows;
END $$;
