-- Decides what one reported end of an attempt comes to: the outcome, and the event that follows.
--
-- The report in, a verdict out; the caller holds the lock of the task's row, which is read here. rank is the place
-- of its event after the row's version. A failure is retried by the task's own policy, kept in its task.enqueued
-- event, until max_attempts failures; retry: false fails it for good. A timed-out attempt is a failure like any
-- other, and task.timed_out is appended only when none is left.
--
--   SELECT (judge_attempt('task-1', 2, 1, 'completed', '{}', 'psql-1', now())).outcome;   -- not_found

CREATE FUNCTION judge_attempt(
    task_id text, lease integer, rank integer, outcome text, detail jsonb, worker_id text, at timestamptz
) RETURNS verdict
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    _type    text;
    _outcome text := judge_attempt.outcome;
    _task    background_tasks;
    _data    jsonb;
    _delay   double precision;
    _log     record;
BEGIN
    IF jsonb_typeof(judge_attempt.detail) <> 'object' THEN
        RAISE EXCEPTION 'details are JSON objects' USING ERRCODE = 'AN422', HINT = 'A result goes into {"result": ...}.';
    END IF;
    SELECT b.* INTO _task FROM background_tasks b WHERE b.task_id = judge_attempt.task_id;
    IF NOT FOUND THEN
        RETURN ROW(judge_attempt.task_id, judge_attempt.lease, 'not_found', NULL, NULL)::verdict;
    END IF;
    _data := jsonb_build_object('attempt', _task.attempt);
    IF _task.lease IS DISTINCT FROM judge_attempt.lease THEN
        _outcome := 'lease_lost';
        _type := 'task.completion_refused';
        _data := jsonb_build_object('attempt', _task.attempt, 'lease', judge_attempt.lease,
                                    'worker_id', judge_attempt.worker_id, 'would_have_been', judge_attempt.outcome);
    ELSIF _task.cancellation_requested OR judge_attempt.outcome = 'cancelled' THEN
        _outcome := 'cancelled';
        _type := 'task.cancelled';
        _data := _data || jsonb_strip_nulls(jsonb_build_object('reason', judge_attempt.detail -> 'reason', 'duration_ms', judge_attempt.detail -> 'duration_ms'));
    ELSIF judge_attempt.outcome = 'completed' AND pg_column_size(judge_attempt.detail) <= max_event_bytes() THEN
        _type := 'task.completed';
        _data := _data || judge_attempt.detail;
    ELSIF judge_attempt.outcome = 'released' THEN
        _type := 'task.released';
    ELSIF judge_attempt.outcome = 'snoozed' THEN
        _type := 'task.snoozed';
        _data := _data || jsonb_build_object('run_at', coalesce((judge_attempt.detail ->> 'run_at')::timestamptz,
            judge_attempt.at + make_interval(secs => coalesce((judge_attempt.detail ->> 'delay_seconds')::float8, 0))));
    ELSE
        IF judge_attempt.outcome = 'completed' THEN
            judge_attempt.detail := jsonb_build_object('error_type', 'ResultTooBig', 'retry', false, 'reason', 'too_big',
                'error_message', format('the result is larger than %s bytes', max_event_bytes()));
        ELSIF judge_attempt.outcome = 'timed_out' THEN
            judge_attempt.detail := judge_attempt.detail || jsonb_build_object('error_type', 'TimeoutError',
                'error_message', format('Task timeout exceeded (%s)', spoken_duration(_task.timeout_seconds)));
        END IF;
        IF coalesce((judge_attempt.detail ->> 'retry')::boolean, true) AND _task.failures + 1 < _task.max_attempts THEN
            SELECT e.data -> 'backoff' AS backoff INTO _log FROM events e WHERE e.position = _task.enqueued_position;
            _delay := coalesce((judge_attempt.detail ->> 'delay_seconds')::float8,
                               backoff_delay(_log.backoff, _task.failures + 1));
            _outcome := 'retry_scheduled';
            _type := 'task.retry_scheduled';
            _data := _data || (judge_attempt.detail - ARRAY['retry', 'reason', 'delay_seconds']) || jsonb_build_object(
                'run_at', judge_attempt.at + make_interval(secs => _delay), 'delay_ms', round(_delay * 1000));
        ELSIF judge_attempt.outcome = 'timed_out' THEN
            _outcome := 'timeout';
            _type := 'task.timed_out';
            _data := _data || jsonb_build_object('timeout_seconds', _task.timeout_seconds,
                                                 'error', judge_attempt.detail ->> 'error_message')
                           || (judge_attempt.detail - ARRAY['retry', 'reason', 'error_message', 'delay_seconds']);
        ELSE
            _outcome := 'failed';
            _type := 'task.failed';
            _data := _data || jsonb_build_object('reason', CASE WHEN (judge_attempt.detail ->> 'retry')::boolean THEN 'attempts_exhausted'
                                                                WHEN judge_attempt.detail ? 'retry' THEN 'permanent'
                                                                ELSE 'attempts_exhausted' END)
                           || (judge_attempt.detail - ARRAY['retry', 'delay_seconds']);
        END IF;
    END IF;
    RETURN ROW(judge_attempt.task_id, judge_attempt.lease, _outcome, _task.status,
               ROW(judge_attempt.task_id, _task.task_type, _task.subject,
                   _task.version + judge_attempt.rank, _type, _data, _task.correlation_id)::transition)::verdict;
END $$;
