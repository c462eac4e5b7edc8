-- Everything that bears on how long a pending task still waits, as facts for why_pending.
--
--   SELECT jsonb_pretty(waiting_facts(t)) FROM background_tasks t WHERE t.task_id = 'task-waiting';

CREATE FUNCTION waiting_facts(task background_tasks, at timestamptz DEFAULT clock_timestamp()) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    _task    background_tasks := waiting_facts.task;
    _at      timestamptz      := waiting_facts.at;
    _lane    lanes            := (SELECT l FROM lanes l WHERE l.lane = (waiting_facts.task).lane);
    _queued  events           := (SELECT e FROM events e WHERE e.position = (waiting_facts.task).queued_position);
    _pause   record;
    _rank    record;
    _workers jsonb            := worker_facts((waiting_facts.task).queue, (waiting_facts.task).task_type, waiting_facts.at);
    _since   timestamptz;
    _pace    double precision;
BEGIN
    SELECT * INTO _pause FROM queue_pauses(_task.queue) p WHERE p.resumed_at IS NULL;
    SELECT * INTO _rank FROM task_rank(_task.task_id, _at);
    _since := CASE WHEN _task.ready_position IS NULL THEN _task.run_at ELSE _queued.recorded_at END;
    _pace := CASE WHEN _rank.rank > 1 THEN queue_pace(_task.queue, _lane.class, _at) END;
    RETURN jsonb_build_object(
        'task_type', _task.task_type, 'queue', _task.queue, 'priority', _task.priority, 'failures', _task.failures,
        'max_attempts', _task.max_attempts, 'queued_by', _queued.type, 'queued_at', json_time(_queued.recorded_at),
        'queued_because', event_reason(_queued.type, _queued.data),
        'pause', CASE WHEN _pause.paused_at IS NOT NULL THEN jsonb_build_object(
            'since', json_time(_pause.paused_at), 'seconds', extract(epoch FROM _at - _pause.paused_at)::float8,
            'actor', _pause.actor, 'reason', _pause.reason) END,
        'run_at', CASE WHEN _task.ready_position IS NULL THEN json_time(_task.run_at) END,
        'due_in_seconds', CASE WHEN _task.ready_position IS NULL AND _task.run_at > _at
                               THEN extract(epoch FROM _task.run_at - _at)::float8 END,
        'claimable_since', CASE WHEN _since <= _at THEN json_time(_since) END,
        -- Since when nothing stood in the way of a claim any more.
        'claimable_seconds', CASE WHEN _since <= _at THEN extract(epoch FROM _at - greatest(
            _since, (_workers ->> 'serving_since')::timestamptz,
            (SELECT q.changed_at FROM queues q WHERE q.queue = _task.queue)))::float8 END,
        'workers', _workers,
        'ahead', CASE WHEN _rank.rank IS NOT NULL THEN jsonb_build_object(
            'tasks', _rank.rank - 1, 'exact', _rank.exact, 'per_minute', _pace,
            'estimated_seconds', (_rank.rank - 1) * 60 / _pace) END,
        'limit', CASE WHEN _lane.limit_group <> '' THEN jsonb_build_object(
            'group', _lane.limit_group,
            'running', (SELECT count(*) FROM background_tasks t JOIN lanes l ON l.lane = t.lane
                        WHERE t.status = 'running' AND l.limit_group = _lane.limit_group)) END,
        'database', database_facts());
END $$;
