-- Gives one claimed task back, without a failure and with its seniority.
--
-- Returns the outcome; the caller names its lease, and gets 'lease_lost' when it no longer holds the task.
--
--   SELECT release_task('task-100000001', lease => 2);

CREATE FUNCTION release_task(
    task_id   text,
    lease     integer,
    worker_id text        DEFAULT session_user,
    ring      boolean     DEFAULT true,
    at        timestamptz DEFAULT clock_timestamp()
) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT e.outcome FROM end_attempts(
        release_task.worker_id, ARRAY[release_task.task_id], ARRAY[release_task.lease], ARRAY['released'],
        ARRAY['{}']::jsonb[], NULL, NULL, release_task.ring, release_task.at) e
$$;
