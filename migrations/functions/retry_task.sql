-- Retries one ended task by hand: retry_tasks for a list of one. Raises AN404, AN4GO (removed by retention), or AN409.
--
--   SELECT retry_task('task-100000001', 'the supplier is back');

CREATE FUNCTION retry_task(
    task_id text,
    reason  text        DEFAULT NULL,
    actor   text        DEFAULT default_actor(),
    request request_key DEFAULT NULL,
    ring    boolean     DEFAULT true,
    at      timestamptz DEFAULT clock_timestamp()
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _answer record;
BEGIN
    SELECT * INTO _answer FROM retry_tasks(ARRAY[retry_task.task_id], retry_task.reason, retry_task.actor,
                                           retry_task.request, retry_task.ring, retry_task.at);
    IF _answer.outcome = 'not_found' THEN
        PERFORM missing_task(retry_task.task_id);
    ELSIF _answer.outcome = 'conflict' THEN
        RAISE EXCEPTION 'Cannot retry task with status: %', _answer.status
            USING ERRCODE = 'AN409', HINT = 'Failed, timed-out and cancelled tasks can be retried.';
    END IF;
    RETURN _answer.outcome;
END $$;
