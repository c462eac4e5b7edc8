-- Registers a worker process.
--
--   SELECT start_worker('psql-1', 'my-host', 1, '{default}', '{noop}', 1);

CREATE FUNCTION start_worker(
    worker_id    text,
    host         text,
    pid          integer,
    queues       text[],
    task_types   text[],
    concurrency  integer,
    code_version text        DEFAULT NULL,
    at           timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _draft event_draft := ROW('worker', start_worker.worker_id, 'worker.started', jsonb_strip_nulls(jsonb_build_object(
        'worker_id', start_worker.worker_id, 'host', start_worker.host, 'pid', start_worker.pid,
        'queues', to_jsonb(start_worker.queues), 'task_types', to_jsonb(start_worker.task_types),
        'concurrency', start_worker.concurrency, 'code_version', start_worker.code_version)), NULL, NULL, NULL, NULL);
BEGIN
    IF num_nulls(start_worker.worker_id, start_worker.host, start_worker.pid, start_worker.queues, start_worker.task_types,
                 start_worker.concurrency) > 0 OR start_worker.concurrency < 1 OR start_worker.worker_id = '' THEN
        RAISE EXCEPTION 'a worker needs an id, a host, a pid, queues, task types and at least one slot' USING ERRCODE = 'AN422';
    END IF;
    PERFORM lock_streams(ARRAY[_draft]);
    IF EXISTS (SELECT FROM workers w WHERE w.worker_id = start_worker.worker_id) THEN
        RAISE EXCEPTION 'worker % exists already', start_worker.worker_id
            USING ERRCODE = 'AN409', HINT = 'An id stands for one run of one process; choose a new one.';
    END IF;
    RETURN (SELECT a.position FROM append_events(ARRAY[_draft], 'worker:' || start_worker.worker_id, start_worker.at) a);
END $$;
