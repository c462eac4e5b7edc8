-- Creates a schedule, or replaces its definition; what the definition leaves out gets its default.
--
-- outcome tells created, changed or unchanged (then nothing is appended). next_due_at is for show and may be
-- left out: the relay works it out from the log. configured says that the definition comes from the
-- configuration: it is in force when it differs from the one last configured, so that a change by hand stays
-- until the configuration itself changes.
--
--   SELECT * FROM set_schedule('nightly', '{"cron": "0 3 * * *", "time_zone": "Asia/Seoul", "task_type": "coverage_refresh", "params": {"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}}');

CREATE FUNCTION set_schedule(
    name        text,
    definition  jsonb,
    next_due_at timestamptz DEFAULT NULL,
    actor       text        DEFAULT default_actor(),
    ring        boolean     DEFAULT true,
    at          timestamptz DEFAULT clock_timestamp(),
    configured  boolean     DEFAULT false
) RETURNS TABLE (outcome text, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _definition jsonb := draft_schedule(set_schedule.name, set_schedule.definition, set_schedule.at);
    _draft      event_draft := ROW('schedule', set_schedule.name, 'schedule.changed', '{}', NULL, NULL, NULL, NULL);
    _row        schedules;
BEGIN
    PERFORM lock_streams(ARRAY[_draft]);
    SELECT * INTO _row FROM schedules s WHERE s.name = set_schedule.name;
    IF NOT FOUND THEN
        _draft.type := 'schedule.created';
    ELSIF (CASE WHEN set_schedule.configured THEN _row.configured ELSE schedule_definition(_row) END) = _definition THEN
        RETURN QUERY SELECT 'unchanged', NULL::bigint;
        RETURN;
    END IF;
    _draft.data := jsonb_strip_nulls(jsonb_build_object(
        'next_due_at', CASE WHEN (_definition ->> 'enabled')::boolean THEN set_schedule.next_due_at END,
        'configured', CASE WHEN set_schedule.configured THEN true END)) || jsonb_build_object('definition', _definition);
    RETURN QUERY SELECT substr(_draft.type, 10), a.position
                 FROM append_events(ARRAY[_draft], set_schedule.actor, set_schedule.at) a;
    IF set_schedule.ring THEN
        PERFORM ring_doorbell('annals_relay');
    END IF;
END $$;
