-- Keeps a schedule from firing by itself; its history stays. NULL when it does not fire already.
--
-- Enabled again (set_schedule), it counts from then on: what fell due in between was not missed.
--
--   SELECT disable_schedule('nightly'); -- ERROR: Schedule not found: nightly

CREATE FUNCTION disable_schedule(
    name         text,
    actor        text        DEFAULT default_actor(),
    ring         boolean     DEFAULT true,
    at           timestamptz DEFAULT clock_timestamp(),
    unconfigured boolean     DEFAULT false
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _draft    event_draft := ROW('schedule', disable_schedule.name, 'schedule.changed', '{}', NULL, NULL, NULL, NULL);
    _row      schedules;
    _position bigint;
BEGIN
    -- Before the lock: it would leave a head of a stream that has no event.
    IF NOT EXISTS (SELECT FROM schedules s WHERE s.name = disable_schedule.name) THEN
        RAISE EXCEPTION 'Schedule not found: %', disable_schedule.name
            USING ERRCODE = 'AN404', HINT = 'Those there are: SELECT name FROM schedules.';
    END IF;
    PERFORM lock_streams(ARRAY[_draft]);
    SELECT * INTO _row FROM schedules s WHERE s.name = disable_schedule.name;
    IF NOT _row.enabled AND (NOT disable_schedule.unconfigured OR _row.configured IS NULL) THEN
        RETURN NULL;
    END IF;
    _draft.data := jsonb_build_object('definition', schedule_definition(_row) || '{"enabled": false}')
        || CASE WHEN disable_schedule.unconfigured THEN '{"configured": false}' ELSE '{}' END::jsonb;
    SELECT a.position INTO _position FROM append_events(ARRAY[_draft], disable_schedule.actor, disable_schedule.at) a;
    IF disable_schedule.ring THEN
        PERFORM ring_doorbell('annals_relay');
    END IF;
    RETURN _position;
END $$;
