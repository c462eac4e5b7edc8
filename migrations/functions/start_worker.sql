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
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT a.position FROM append_events(
        ARRAY[ROW('worker', start_worker.worker_id, 'worker.started', jsonb_strip_nulls(jsonb_build_object(
            'worker_id', start_worker.worker_id, 'host', start_worker.host, 'pid', start_worker.pid,
            'queues', to_jsonb(start_worker.queues), 'task_types', to_jsonb(start_worker.task_types),
            'concurrency', start_worker.concurrency, 'code_version', start_worker.code_version)),
            NULL, NULL, NULL, NULL)::event_draft],
        'worker:' || start_worker.worker_id, start_worker.at) a
$$;
