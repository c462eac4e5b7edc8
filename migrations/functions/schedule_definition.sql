-- The definition of a schedule as its events hold it.
--
--   SELECT name, schedule_definition(s) FROM schedules s;

CREATE FUNCTION schedule_definition(schedule schedules) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'cron', (schedule_definition.schedule).cron, 'time_zone', (schedule_definition.schedule).time_zone,
        'task_type', (schedule_definition.schedule).task_type, 'queue', (schedule_definition.schedule).queue,
        'priority', (schedule_definition.schedule).priority, 'missed_fires', (schedule_definition.schedule).missed_fires,
        'enabled', (schedule_definition.schedule).enabled))
        || jsonb_build_object('params', (schedule_definition.schedule).params)
$$;
