-- When an event happened, which may be before it was recorded: what was over when it was told names the time.
--
--   SELECT event_time(e) FROM events e ORDER BY e.position LIMIT 1;

CREATE FUNCTION event_time(event events) RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(((event).data ->> 'occurred_at')::timestamptz, (event).recorded_at);
