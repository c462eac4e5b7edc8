-- Steps over an event that a follower fails on, and says so in the log: the checkpoint moves onto it.
--
-- Nothing of the event is done; it is listed in parked_events until it is resumed by hand.
--
--   SELECT park_event('mail', 0, 10, 'no such address', 'relay-1', 1); -- ERROR: does not lead

CREATE FUNCTION park_event(
    name       text,
    expected   bigint,
    "position" bigint,
    error      text,
    relay_id   text,
    term       bigint,
    at         timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM advance_follower(park_event.name, park_event.expected, park_event.position, park_event.relay_id, park_event.term);
    RETURN (SELECT a.position FROM append_events(
        ARRAY[ROW('follower', park_event.name, 'follower.parked', jsonb_build_object(
                      'follower', park_event.name, 'position', park_event.position,
                      'error', left(coalesce(nullif(park_event.error, ''), 'unknown'), 2000)),
                  NULL, park_event.position, NULL, NULL)::event_draft],
        'relay', park_event.at) a);
END $$;
