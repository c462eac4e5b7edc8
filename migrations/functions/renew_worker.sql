-- A worker's sign of life; false when it was given up for dead (or never registered): it must stop its handlers.
--
-- The one write to a read model without an event: every few seconds for each worker.
--
--   SELECT renew_worker('psql-1');

CREATE FUNCTION renew_worker(worker_id text, at timestamptz DEFAULT clock_timestamp()) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE workers w SET seen_at = renew_worker.at
    WHERE w.worker_id = renew_worker.worker_id AND w.status = 'live';
    RETURN FOUND;
END $$;
