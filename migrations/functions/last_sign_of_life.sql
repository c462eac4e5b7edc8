-- When a worker that ended was last known to live, from the log; NULL for one that has not ended.
--
-- For a lost one the sign of life that was watched going stale, for a stopped one its farewell.
--
--   SELECT last_sign_of_life('w-1');

CREATE FUNCTION last_sign_of_life(worker_id text) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce((e.data ->> 'seen_at')::timestamptz, e.recorded_at)
    FROM events e
    WHERE e.stream_type = 'worker' AND e.stream_id = last_sign_of_life.worker_id AND e.type IN ('worker.lost', 'worker.stopped')
    ORDER BY e.version DESC
    LIMIT 1
$$;
