-- The id of the webhook that an event asks for: derived from the event alone, so that it is the same for ever.
--
--   SELECT webhook_id(e) FROM events e WHERE e.type = 'task.completed' LIMIT 1;

CREATE FUNCTION webhook_id(event events) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT 'wh-' || md5(concat_ws(':', (event)."position", (event).stream_id, (event).version,
                                  (extract(epoch FROM (event).recorded_at) * 1000000)::bigint))::uuid::text
$$;
