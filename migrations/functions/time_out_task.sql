-- Ends one attempt that passed its deadline: a failure, retried by the task's policy.
--
-- Returns the outcome; the caller names its lease, and gets 'lease_lost' when it no longer holds the task.
--
--   SELECT time_out_task('task-100000001', lease => 2);

CREATE FUNCTION time_out_task(
    task_id   text,
    lease     integer,
    worker_id text        DEFAULT session_user,
    ring      boolean     DEFAULT true,
    at        timestamptz DEFAULT clock_timestamp()
) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT e.outcome FROM end_attempts(
        time_out_task.worker_id, ARRAY[time_out_task.task_id], ARRAY[time_out_task.lease], ARRAY['timed_out'],
        ARRAY['{}']::jsonb[], NULL, NULL, time_out_task.ring, time_out_task.at) e
$$;
