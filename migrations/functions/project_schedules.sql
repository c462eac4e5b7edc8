-- Folds schedule.created, schedule.changed and schedule.fired into schedules.
--
-- counts_from says which due times count: those after it. It moves when the schedule fires, and begins anew
-- when what makes it due changes (cron, time zone, enabled again), at the time the log recorded; a change
-- of anything else leaves a fire that is overdue overdue.
--
--   SELECT name, cron, time_zone, enabled, last_due_at, next_due_at FROM schedules;

CREATE FUNCTION project_schedules() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _types text[];
    _event events;
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('schedule') THEN
        RETURN NULL;
    END IF;
    _types := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'schedule');
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ ARRAY['schedule.created', 'schedule.changed', 'schedule.fired'] THEN
        RAISE EXCEPTION 'project_schedules was not taught one of the event types %', _types
            USING ERRCODE = 'AN422', HINT = 'Teach it to functions/project_schedules.sql, or list it there as ignored.';
    END IF;
    FOR _event IN SELECT a.* FROM appended a WHERE a.stream_type = 'schedule' ORDER BY a.position LOOP
        IF _event.type = 'schedule.fired' THEN
            UPDATE schedules s
            SET version = _event.version, last_fired_at = _event.recorded_at, last_task_id = _event.data ->> 'task_id',
                last_error = _event.data ->> 'error',
                last_due_at = CASE WHEN _event.data ? 'by_hand' THEN s.last_due_at ELSE (_event.data ->> 'due_at')::timestamptz END,
                counts_from = CASE WHEN _event.data ? 'by_hand' THEN s.counts_from ELSE (_event.data ->> 'due_at')::timestamptz END,
                next_due_at = CASE WHEN _event.data ? 'by_hand' THEN s.next_due_at ELSE (_event.data ->> 'next_due_at')::timestamptz END
            WHERE s.name = _event.stream_id;
        ELSE
            INSERT INTO schedules AS s (name, cron, time_zone, task_type, params, queue, priority, missed_fires, enabled,
                                        configured, version, created_at, changed_at, counts_from, next_due_at)
            SELECT _event.stream_id, d.cron, d.time_zone, d.task_type, d.params, d.queue, d.priority, d.missed_fires, d.enabled,
                   CASE WHEN (_event.data ->> 'configured')::boolean THEN _event.data -> 'definition' END, _event.version,
                   _event.recorded_at, _event.recorded_at, _event.recorded_at, (_event.data ->> 'next_due_at')::timestamptz
            FROM jsonb_to_record(_event.data -> 'definition') AS d (
                cron text, time_zone text, task_type text, params jsonb, queue text, priority smallint, missed_fires text, enabled boolean)
            ON CONFLICT ON CONSTRAINT schedules_pkey DO UPDATE
                SET cron = excluded.cron, time_zone = excluded.time_zone, task_type = excluded.task_type, params = excluded.params,
                    queue = excluded.queue, priority = excluded.priority, missed_fires = excluded.missed_fires,
                    enabled = excluded.enabled, version = excluded.version, changed_at = excluded.changed_at,
                    configured = CASE WHEN _event.data ? 'configured' THEN excluded.configured ELSE s.configured END,
                    counts_from = CASE WHEN (s.cron, s.time_zone) <> (excluded.cron, excluded.time_zone) OR excluded.enabled AND NOT s.enabled
                                       THEN excluded.counts_from ELSE s.counts_from END,
                    next_due_at = excluded.next_due_at;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER project_schedules AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_schedules();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_schedules;
