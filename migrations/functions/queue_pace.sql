-- How many tasks a minute lately left a queue's lanes up to a class for a worker; NULL when none did.
--
-- Seen in the last thousand events of the log, of the last ten minutes at most: a bounded look however long the log is.
--
--   SELECT queue_pace('default', 2::smallint);

CREATE FUNCTION queue_pace(queue text, class smallint, at timestamptz DEFAULT clock_timestamp()) RETURNS double precision
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH recent AS (
        SELECT e.stream_id, e.type, e.recorded_at
        FROM (SELECT x.stream_id, x.type, x.recorded_at FROM events x ORDER BY x.position DESC LIMIT 1000) e
        WHERE e.recorded_at > queue_pace.at - interval '10 minutes')
    SELECT (SELECT nullif(count(*), 0)
            FROM recent r
            JOIN background_tasks t ON t.task_id = r.stream_id AND t.queue = queue_pace.queue
            JOIN lanes l ON l.lane = t.lane AND l.class <= queue_pace.class
            WHERE r.type = 'task.started')
           * 60 / greatest(extract(epoch FROM queue_pace.at - (SELECT min(r.recorded_at) FROM recent r)), 1)::float8
$$;
