-- A schedule's definition as it is kept, with what it leaves out filled in; raises AN422 when it cannot fire.
--
-- The task that a fire would enqueue is checked by draft_tasks, the very check of an enqueue, and its params
-- against the parameters that its type requires.
--
--   SELECT draft_schedule('nightly', '{"cron": "0 3 * * *", "task_type": "coverage_refresh", "params": {"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}}', now());

CREATE FUNCTION draft_schedule(name text, definition jsonb, at timestamptz) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    _known      constant text[] := ARRAY['cron', 'time_zone', 'task_type', 'params', 'queue', 'priority', 'missed_fires', 'enabled'];
    _definition jsonb;
    _problem    text;
    _fields     constant text := format('Fields: %s.', array_to_string(_known, ', '));
    _hint       text := _fields;
    _nearest    text;
    _schema     jsonb;
BEGIN
    IF draft_schedule.name IS NULL OR draft_schedule.name !~ '^[A-Za-z0-9_.-]{1,100}$' THEN
        RAISE EXCEPTION 'not a schedule name: %', draft_schedule.name
            USING ERRCODE = 'AN422', HINT = 'Use 1 to 100 letters, digits, or _ . -';
    ELSIF jsonb_typeof(draft_schedule.definition) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'schedule %: the definition is not a JSON object', draft_schedule.name USING ERRCODE = 'AN422', HINT = _hint;
    END IF;
    _definition := '{"time_zone": "UTC", "params": {}, "missed_fires": "once", "enabled": true}'
        || jsonb_strip_nulls(draft_schedule.definition - 'params')
        || CASE WHEN jsonb_typeof(draft_schedule.definition -> 'params') <> 'null'
                THEN jsonb_build_object('params', draft_schedule.definition -> 'params') ELSE '{}' END;
    _problem := CASE
        WHEN _definition - _known <> '{}' THEN
            format('has unknown fields: %s', (SELECT string_agg(k, ', ') FROM jsonb_object_keys(_definition - _known) k))
        WHEN jsonb_typeof(_definition -> 'cron') IS DISTINCT FROM 'string' THEN 'needs a cron expression'
        WHEN jsonb_typeof(_definition -> 'time_zone') <> 'string' THEN 'has a time_zone that is not a text'
        WHEN jsonb_typeof(_definition -> 'enabled') <> 'boolean' THEN 'has an enabled that is not true or false'
        WHEN _definition ->> 'missed_fires' NOT IN ('skip', 'once') THEN 'has a missed_fires that is not skip or once' END;
    IF _problem IS NULL THEN
        _problem := 'has a bad ' || cron_problem(_definition ->> 'cron');
        _hint := 'A cron expression has five fields: minute, hour, day of month, month, day of week, as in 30 2 * * MON-FRI.';
    END IF;
    IF _problem IS NULL AND _definition ->> 'time_zone' <> 'UTC'
       AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = _definition ->> 'time_zone') THEN
        _problem := format('has the unknown time_zone %L', _definition ->> 'time_zone');
        _hint := 'Use an IANA name such as Europe/Berlin or UTC: SELECT name FROM pg_timezone_names.';
    END IF;
    IF _problem IS NULL THEN
        BEGIN
            PERFORM draft_tasks(jsonb_build_array(_definition - ARRAY['cron', 'time_zone', 'missed_fires', 'enabled']), draft_schedule.at);
        EXCEPTION WHEN SQLSTATE 'AN422' THEN
            GET STACKED DIAGNOSTICS _nearest = PG_EXCEPTION_HINT;
            _hint := CASE WHEN _nearest LIKE 'Nearest known%' THEN _nearest ELSE _fields END;
            _problem := regexp_replace(SQLERRM, '^task 1 ', '');
        END;
    END IF;
    IF _problem IS NULL THEN
        SELECT t.params_schema INTO _schema FROM task_types t WHERE t.task_type = _definition ->> 'task_type' AND t.current;
        SELECT format('lacks params.%s', r.value), format('A %s needs it.', _definition ->> 'task_type') INTO _problem, _hint
        FROM jsonb_array_elements_text(coalesce(_schema -> 'required', '[]')) r WHERE NOT _definition -> 'params' ? r.value LIMIT 1;
    END IF;
    IF _problem IS NOT NULL THEN
        RAISE EXCEPTION 'schedule % %', draft_schedule.name, _problem USING ERRCODE = 'AN422', HINT = _hint;
    END IF;
    RETURN _definition || jsonb_build_object('cron', regexp_replace(btrim(_definition ->> 'cron'), '\s+', ' ', 'g'));
END $$;
