-- A worker's sign of life; false when it was given up for dead (or never registered): it must stop its handlers.
--
-- The one write to a read model without an event: every few seconds for each worker. With it comes what only the
-- worker knows: its slots in use, the worst lag of its event loop since the last sign, and for how
-- long its longest attempt has been running.
--
--   SELECT renew_worker('psql-1', busy_slots => 3);

CREATE FUNCTION renew_worker(
    worker_id        text,
    at               timestamptz DEFAULT clock_timestamp(),
    busy_slots       integer     DEFAULT 0,
    loop_lag_seconds real        DEFAULT 0,
    working_seconds  real        DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE workers w
    SET seen_at = renew_worker.at, busy_slots = coalesce(renew_worker.busy_slots, 0),
        loop_lag_seconds = coalesce(renew_worker.loop_lag_seconds, 0),
        working_since = renew_worker.at - make_interval(secs => renew_worker.working_seconds)
    WHERE w.worker_id = renew_worker.worker_id AND w.status = 'live';
    RETURN FOUND;
END $$;
