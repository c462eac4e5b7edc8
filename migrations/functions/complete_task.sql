-- Finishes one running task: end_attempts for a batch of one.
--
-- Returns the outcome; the caller names its lease, and gets 'lease_lost' when it no longer holds the task.
--
--   SELECT complete_task('task-100000001', lease => 2, result => '{"coverage_percent": 46.67}');

CREATE FUNCTION complete_task(
    task_id   text,
    lease     integer,
    result jsonb DEFAULT NULL,
    worker_id text        DEFAULT session_user,
    ring      boolean     DEFAULT true,
    at        timestamptz DEFAULT clock_timestamp()
) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT e.outcome FROM end_attempts(
        complete_task.worker_id, ARRAY[complete_task.task_id], ARRAY[complete_task.lease], ARRAY['completed'],
        ARRAY[jsonb_build_object('result', complete_task.result)]::jsonb[], NULL, NULL, complete_task.ring, complete_task.at) e
$$;
