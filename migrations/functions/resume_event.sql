-- Takes an event from the list of parked ones: first in the transaction that does its effect after all.
--
-- Raises AN404 when it is not parked, so that of two who resume it one is refused. Called by itself it gives
-- the event up: nothing of it is done, and reason says why.
--
--   SELECT resume_event('mail', 10, 'the address will never exist'); -- ERROR: is not parked

CREATE FUNCTION resume_event(
    name       text,
    "position" bigint,
    reason     text        DEFAULT NULL,
    actor      text        DEFAULT default_actor(),
    at         timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM parked_events p WHERE p.follower = resume_event.name AND p.position = resume_event.position FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'event % is not parked by follower %', resume_event.position, resume_event.name
            USING ERRCODE = 'AN404', HINT = 'Those that are: SELECT * FROM parked_events.';
    END IF;
    RETURN (SELECT a.position FROM append_events(
        ARRAY[ROW('follower', resume_event.name, 'follower.resumed', jsonb_strip_nulls(jsonb_build_object(
                      'follower', resume_event.name, 'position', resume_event.position, 'reason', resume_event.reason)),
                  NULL, resume_event.position, NULL, NULL)::event_draft],
        resume_event.actor, resume_event.at) a);
END $$;
