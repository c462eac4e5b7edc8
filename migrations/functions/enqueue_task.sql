-- Enqueues one task and returns its id: enqueue_tasks for a list of one.
--
--   SELECT enqueue_task('coverage_refresh', params => '{"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}', priority => 2);

CREATE FUNCTION enqueue_task(
    task_type       text,
    params          jsonb       DEFAULT '{}',
    queue           text        DEFAULT NULL,
    priority        integer     DEFAULT NULL,
    run_at          timestamptz DEFAULT NULL,
    subject         text        DEFAULT NULL,
    unique_key      text        DEFAULT NULL,
    unique_states   text[]      DEFAULT NULL,
    max_attempts    integer     DEFAULT NULL,
    timeout_seconds real        DEFAULT NULL,
    backoff         jsonb       DEFAULT NULL,
    webhook_url     text        DEFAULT NULL,
    task_id         text        DEFAULT NULL,
    actor           text        DEFAULT default_actor(),
    correlation_id  text        DEFAULT NULL,
    causation_id    bigint      DEFAULT NULL,
    trace           text        DEFAULT NULL,
    request         request_key DEFAULT NULL,
    ring            boolean     DEFAULT true,
    at              timestamptz DEFAULT clock_timestamp()
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT e.task_id FROM enqueue_tasks(
        jsonb_build_array(jsonb_strip_nulls(jsonb_build_object(
            'task_type', enqueue_task.task_type, 'queue', enqueue_task.queue, 'priority', enqueue_task.priority,
            'run_at', enqueue_task.run_at, 'subject', enqueue_task.subject, 'unique_key', enqueue_task.unique_key,
            'unique_states', enqueue_task.unique_states, 'max_attempts', enqueue_task.max_attempts,
            'timeout_seconds', enqueue_task.timeout_seconds, 'backoff', enqueue_task.backoff,
            'webhook_url', enqueue_task.webhook_url, 'task_id', enqueue_task.task_id))
            || jsonb_build_object('params', enqueue_task.params)),
        enqueue_task.actor, enqueue_task.correlation_id, enqueue_task.causation_id, enqueue_task.trace,
        enqueue_task.request, enqueue_task.ring, enqueue_task.at) e);
END $$;
