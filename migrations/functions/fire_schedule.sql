-- Enqueues the task of a schedule that is due, and says so in the log: both, or neither.
--
-- Exactly once for each due time, whoever calls: the schedule's head is locked, and only a due time after all
-- that are done counts. version is that of the row from which the due time was worked out; a relay whose row
-- is old gets 'changed' and nothing happens. An enqueue that is refused (its agent is gone, say) is recorded as
-- the error of this fire, and the schedule goes on. Without due_at the fire is by hand: at once, also when
-- the schedule is disabled, and the due times stay as they are.
--
--   SELECT * FROM fire_schedule('nightly'); -- ERROR: Schedule not found: nightly

CREATE FUNCTION fire_schedule(
    name        text,
    due_at      timestamptz DEFAULT NULL,
    next_due_at timestamptz DEFAULT NULL,
    version     integer     DEFAULT NULL,
    missed      integer     DEFAULT 0,
    actor       text        DEFAULT default_actor(),
    ring        boolean     DEFAULT true,
    at          timestamptz DEFAULT clock_timestamp(),
    relay_id    text        DEFAULT NULL,
    term        bigint      DEFAULT NULL,
    correlation_id text     DEFAULT NULL
) RETURNS TABLE (outcome text, task_id text, "position" bigint, queue text, error text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _draft       event_draft := ROW('schedule', fire_schedule.name, 'schedule.fired', '{}', NULL, NULL, NULL, NULL);
    _row         schedules;
    _task_id     text;
    _queue       text;
    _error       text;
    _correlation text := coalesce(fire_schedule.correlation_id, 'schedule:' || fire_schedule.name || ':'
        || to_char(coalesce(fire_schedule.due_at, fire_schedule.at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
BEGIN
    IF fire_schedule.relay_id IS NOT NULL THEN
        PERFORM require_lease(fire_schedule.relay_id, fire_schedule.term);
    END IF;
    IF NOT EXISTS (SELECT FROM schedules s WHERE s.name = fire_schedule.name) THEN
        RAISE EXCEPTION 'Schedule not found: %', fire_schedule.name
            USING ERRCODE = 'AN404', HINT = 'Those there are: SELECT name FROM schedules.';
    END IF;
    PERFORM lock_streams(ARRAY[_draft]);
    SELECT * INTO _row FROM schedules s WHERE s.name = fire_schedule.name;
    IF fire_schedule.due_at IS NOT NULL THEN
        IF NOT _row.enabled OR _row.version IS DISTINCT FROM coalesce(fire_schedule.version, _row.version) THEN
            RETURN QUERY SELECT 'changed', NULL::text, NULL::bigint, NULL::text, NULL::text;
            RETURN;
        ELSIF fire_schedule.due_at <= _row.counts_from OR fire_schedule.due_at > fire_schedule.at THEN
            RETURN QUERY SELECT 'not_due', NULL::text, NULL::bigint, NULL::text, NULL::text;
            RETURN;
        END IF;
    END IF;
    BEGIN
        SELECT e.task_id, e.queue INTO _task_id, _queue FROM enqueue_tasks(
            jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
                'task_type', _row.task_type, 'queue', _row.queue, 'priority', _row.priority,
                'unique_key', 'schedule:' || _row.name || ':' || extract(epoch FROM fire_schedule.due_at)::bigint,
                'unique_states', CASE WHEN fire_schedule.due_at IS NOT NULL
                                      THEN '["pending", "running", "completed", "failed", "cancelled", "timeout"]'::jsonb END))
                || jsonb_build_object('params', _row.params)),
            CASE WHEN fire_schedule.due_at IS NULL THEN fire_schedule.actor ELSE 'schedule:' || _row.name END,
            _correlation, ring => fire_schedule.ring, at => fire_schedule.at) e;
    EXCEPTION WHEN SQLSTATE 'AN404' OR SQLSTATE 'AN409' OR SQLSTATE 'AN413' OR SQLSTATE 'AN422' THEN
        IF fire_schedule.due_at IS NULL THEN
            RAISE;  -- by hand: somebody is there to hear it
        END IF;
        _error := SQLERRM;
    END;
    _draft.correlation_id := _correlation;
    _draft.data := jsonb_strip_nulls(jsonb_build_object(
        'due_at', coalesce(fire_schedule.due_at, fire_schedule.at), 'next_due_at', fire_schedule.next_due_at,
        'task_id', _task_id, 'error', _error,
        'missed', nullif(fire_schedule.missed, 0), 'by_hand', CASE WHEN fire_schedule.due_at IS NULL THEN true END));
    RETURN QUERY
        SELECT CASE WHEN _error IS NULL THEN 'fired' ELSE 'refused' END, _task_id, a.position, _queue, _error
        FROM append_events(ARRAY[_draft], CASE WHEN fire_schedule.due_at IS NULL THEN fire_schedule.actor
                                               ELSE 'schedule:' || _row.name END, fire_schedule.at) a;
END $$;
