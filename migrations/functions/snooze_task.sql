-- Puts one claimed task off, without a failure.
--
-- Returns the outcome; the caller names its lease, and gets 'lease_lost' when it no longer holds the task.
--
--   SELECT snooze_task('task-100000001', lease => 2, delay_seconds => 60);

CREATE FUNCTION snooze_task(
    task_id   text,
    lease     integer,
    delay_seconds double precision,
    worker_id text        DEFAULT session_user,
    ring      boolean     DEFAULT true,
    at        timestamptz DEFAULT clock_timestamp()
) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT e.outcome FROM end_attempts(
        snooze_task.worker_id, ARRAY[snooze_task.task_id], ARRAY[snooze_task.lease], ARRAY['snoozed'],
        ARRAY[jsonb_build_object('delay_seconds', snooze_task.delay_seconds)]::jsonb[], NULL, NULL, snooze_task.ring, snooze_task.at) e
$$;
