-- What became of deliveries so far, told by their streams: also of those whose row is gone.
--
--   SELECT * FROM webhooks_so_far('{wh-00000000-0000-0000-0000-000000000000}');

CREATE FUNCTION webhooks_so_far(delivery_ids text[])
RETURNS TABLE (delivery_id text, first_position bigint, first_at timestamptz, event_position bigint, sequence bigint, attempts integer,
               redeliveries integer, ended boolean)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT e.stream_id, min(e.position), min(e.recorded_at) FILTER (WHERE e.version = 1),
           max((e.data ->> 'event_position')::bigint), max((e.data ->> 'sequence')::bigint),
           coalesce(max((e.data ->> 'attempt')::integer), 0),
           count(*) FILTER (WHERE e.type = 'webhook.requested' AND e.version > 1)::integer,
           (array_agg(e.type ORDER BY e.version DESC))[1] IN ('webhook.delivered', 'webhook.abandoned', 'webhook.skipped')
    FROM events e
    WHERE e.stream_type = 'webhook' AND e.stream_id = ANY (webhooks_so_far.delivery_ids)
    GROUP BY e.stream_id
$$;
