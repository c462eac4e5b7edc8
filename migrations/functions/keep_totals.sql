-- Remembers the highest totals there were, before a follower takes counts off to count them again.
--
-- A metric shows the larger of the total and of what is kept here: while the log is counted again it stands
-- still, where a counter that goes back would be taken for a restart, and its rate for a storm.
--
--   SELECT keep_totals();

CREATE FUNCTION keep_totals() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO task_totals AS k (task_type, rewound, enqueued, started, completed, retried, failed, timed_out, cancelled, rescued,
                                  duration_ms, wait_ms, duration_buckets, wait_buckets)
    SELECT t.task_type, true, max(t.enqueued), max(t.started), max(t.completed), max(t.retried), max(t.failed), max(t.timed_out),
           max(t.cancelled), max(t.rescued), max(t.duration_ms), max(t.wait_ms),
           highest_buckets(t.duration_buckets), highest_buckets(t.wait_buckets)
    FROM task_totals t GROUP BY t.task_type ORDER BY t.task_type
    ON CONFLICT ON CONSTRAINT task_totals_pkey DO UPDATE
        SET enqueued = excluded.enqueued, started = excluded.started, completed = excluded.completed,
            retried = excluded.retried, failed = excluded.failed, timed_out = excluded.timed_out,
            cancelled = excluded.cancelled, rescued = excluded.rescued, duration_ms = excluded.duration_ms,
            wait_ms = excluded.wait_ms, duration_buckets = excluded.duration_buckets, wait_buckets = excluded.wait_buckets;
    INSERT INTO event_totals AS k (type, rewound, events, latency_ms, latency_buckets)
    SELECT t.type, true, max(t.events), max(t.latency_ms), highest_buckets(t.latency_buckets)
    FROM event_totals t GROUP BY t.type ORDER BY t.type
    ON CONFLICT ON CONSTRAINT event_totals_pkey DO UPDATE
        SET events = excluded.events, latency_ms = excluded.latency_ms, latency_buckets = excluded.latency_buckets;
$$;
