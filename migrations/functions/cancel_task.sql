-- Cancels one task: cancel_tasks for a list of one. Raises AN404, AN4GO (removed by retention), or AN409 (over already).
--
--   SELECT cancel_task('task-100000001', 'not needed any more');

CREATE FUNCTION cancel_task(
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
    SELECT * INTO _answer FROM cancel_tasks(ARRAY[cancel_task.task_id], cancel_task.reason, cancel_task.actor,
                                            cancel_task.request, cancel_task.ring, cancel_task.at);
    IF _answer.outcome = 'not_found' THEN
        PERFORM missing_task(cancel_task.task_id);
    ELSIF _answer.outcome = 'conflict' THEN
        RAISE EXCEPTION 'Cannot cancel task with status: %', _answer.status USING ERRCODE = 'AN409';
    END IF;
    RETURN _answer.outcome;
END $$;
