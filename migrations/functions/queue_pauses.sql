-- When a queue was paused, from the log: since when, until when (NULL: still), by whom and why.
--
--   SELECT * FROM queue_pauses('default') ORDER BY paused_at;

CREATE FUNCTION queue_pauses(queue text)
RETURNS TABLE (paused_at timestamptz, resumed_at timestamptz, actor text, reason text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT x.recorded_at, x.next_at, x.actor, x.data ->> 'reason'
    FROM (SELECT e.*, lead(e.recorded_at) OVER (ORDER BY e.version) AS next_at
          FROM events e WHERE e.stream_type = 'queue' AND e.stream_id = queue_pauses.queue) x
    WHERE x.type = 'queue.paused'
$$;
