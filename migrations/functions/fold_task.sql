-- One step of a task's life as a value: the row of background_tasks after one more event.
--
-- The transition function of the aggregate task_state, for reading the past: it writes nothing and needs no
-- shadow. The rows that workers claim are folded by project_tasks; that both say the same, for every history
-- and every position, is what tests/model holds against them. A type that only one of them knows is refused
-- here as it is there. Names are qualified, because a SET would cost more than the fold itself.
--
--   SELECT (fold_task(NULL, e)).status FROM events e WHERE e.type = 'task.enqueued' LIMIT 1;

CREATE FUNCTION fold_task(state background_tasks, event events) RETURNS background_tasks
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    _task  public.background_tasks := fold_task.state;
    _data  jsonb       := (fold_task.event).data;
    _type  text        := (fold_task.event).type;
    _place bigint      := (fold_task.event).position;
    _at    timestamptz := coalesce((_data ->> 'occurred_at')::timestamptz, (fold_task.event).recorded_at);
BEGIN
    IF _type = 'task.enqueued' THEN
        _task := NULL;
        _task.task_type := _data ->> 'task_type';
        _task.queue := _data ->> 'queue';
        _task.priority := (_data ->> 'priority')::smallint;
        _task.subject := _data ->> 'subject';
        _task.max_attempts := (_data ->> 'max_attempts')::smallint;
        _task.timeout_seconds := (_data ->> 'timeout_seconds')::real;
        _task.run_at := (_data ->> 'run_at')::timestamptz;
        _task.unique_key := _data ->> 'unique_key';
        _task.webhook_url := _data ->> 'webhook_url';
        _task.task_id := (fold_task.event).stream_id;
        _task.enqueued_position := _place;
        _task.queued_position := _place;
        _task.created_at := _at;
        _task.agent_id := CASE WHEN _task.subject ~ '^agent:[0-9a-f-]{36}$' THEN substr(_task.subject, 7)::uuid END;
        _task.lane := (SELECT l.lane FROM public.lanes l
                       WHERE l.queue = _task.queue AND l.class = public.priority_class(_task.priority)
                         AND l.limit_group = coalesce(_data ->> 'limit_group', ''));
        _task.correlation_id := (fold_task.event).correlation_id;
        _task.status := 'pending';
        _task.ready_position := CASE WHEN _task.run_at IS NULL THEN _place END;
        _task.failures := 0;
        _task.rescues := 0;
        _task.webhook_retry_count := 0;
        _task.attempt := 0;
        _task.cancellation_requested := false;
        _task.progress_percentage := 0;
    ELSIF _task.task_id IS NULL THEN
        RETURN NULL;  -- the stream has lost its beginning; audit verify names it
    ELSIF _type = 'task.started' THEN
        _task.status := 'running';
        _task.lease := (fold_task.event).version;
        _task.attempt := _task.attempt + 1;
        _task.ready_position := NULL;
        _task.started_position := _place;
        _task.started_at := _at;
        _task.worker_id := _data ->> 'worker_id';
        _task.progress_percentage := 0;
        _task.step := NULL;
        _task.error := NULL;
    ELSIF _type = 'task.progressed' THEN
        _task.progress_percentage := coalesce((_data ->> 'percentage')::real, _task.progress_percentage);
        _task.step := coalesce(_data ->> 'step', _task.step);
        _task.checkpoint := coalesce(_data -> 'checkpoint', _task.checkpoint);
    ELSIF _type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.cancelled') THEN
        _task.status := CASE _type WHEN 'task.timed_out' THEN 'timeout' ELSE substr(_type, 6) END;
        _task.completed_at := _at;
        _task.ready_position := NULL;
        _task.progress_percentage := CASE _type WHEN 'task.completed' THEN 100 ELSE _task.progress_percentage END;
    ELSIF _type IN ('task.retry_scheduled', 'task.snoozed', 'task.released', 'task.rescued') THEN
        _task.status := 'pending';
        _task.completed_at := NULL;
        _task.queued_position := _place;
        _task.rescues := _task.rescues + (_type = 'task.rescued')::integer;
        IF _type IN ('task.released', 'task.rescued') THEN
            _task.ready_position := _task.enqueued_position;
        ELSE
            _task.ready_position := NULL;
            _task.run_at := (_data ->> 'run_at')::timestamptz;
        END IF;
    ELSIF _type = 'task.retry_requested' THEN
        _task.status := 'pending';
        _task.failures := 0;
        _task.rescues := 0;
        _task.cancellation_requested := false;
        _task.queued_position := _place;
        _task.ready_position := _place;
        _task.run_at := NULL;
        _task.completed_at := NULL;
        _task.progress_percentage := 0;
        _task.step := NULL;
        _task.result := NULL;
        _task.error := NULL;
    ELSIF _type = 'task.cancellation_requested' THEN
        _task.cancellation_requested := true;
    ELSIF _type NOT IN ('task.completion_refused', 'task.abandoned') THEN
        RAISE EXCEPTION 'fold_task was not taught the event type %', _type
            USING ERRCODE = 'AN422', HINT = 'Teach it to functions/fold_task.sql, or list it there as ignored.';
    END IF;
    IF _type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.cancelled',
                 'task.retry_scheduled', 'task.snoozed', 'task.released', 'task.rescued') THEN
        _task.lease := NULL;
        _task.failures := _task.failures + (_type IN ('task.retry_scheduled', 'task.failed', 'task.timed_out')
                                            AND _data ->> 'reason' IS DISTINCT FROM 'worker_lost')::integer;
        _task.result := _data -> 'result';
        _task.error := coalesce(_data ->> 'error_message', _data ->> 'error');
    END IF;
    _task.version := (fold_task.event).version;
    _task.changed_position := _place;
    RETURN _task;
END $$;
