-- Fails one attempt; the task's policy decides whether it is retried (retry => false: never).
--
-- Returns the outcome; the caller names its lease, and gets 'lease_lost' when it no longer holds the task.
--
--   SELECT fail_task('task-100000001', lease => 2, error_message => 'supplier is down');

CREATE FUNCTION fail_task(
    task_id   text,
    lease     integer,
    error_message text, error_type text DEFAULT 'Error', retry boolean DEFAULT true,
    worker_id text        DEFAULT session_user,
    ring      boolean     DEFAULT true,
    at        timestamptz DEFAULT clock_timestamp()
) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT e.outcome FROM end_attempts(
        fail_task.worker_id, ARRAY[fail_task.task_id], ARRAY[fail_task.lease], ARRAY['failed'],
        ARRAY[jsonb_build_object('error_type', fail_task.error_type, 'error_message', fail_task.error_message, 'retry', fail_task.retry)]::jsonb[], NULL, NULL, fail_task.ring, fail_task.at) e
$$;
