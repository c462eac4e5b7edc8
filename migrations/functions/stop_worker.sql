-- A worker's farewell, after it released or finished what it held. A worker that is not live stays as it is.
--
-- The head of its stream is locked before its row, as the folds and repair_streams do: the other way round
-- this and a rebuild of workers would wait for each other.
--
--   SELECT stop_worker('psql-1', 'shutdown');

CREATE FUNCTION stop_worker(worker_id text, reason text DEFAULT 'shutdown', at timestamptz DEFAULT clock_timestamp()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM lock_streams(ARRAY(SELECT ROW('worker', w.worker_id, NULL, NULL, NULL, NULL, NULL, NULL)::event_draft
                               FROM workers w WHERE w.worker_id = stop_worker.worker_id AND w.status = 'live'));
    PERFORM FROM workers w WHERE w.worker_id = stop_worker.worker_id AND w.status = 'live' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT a.position FROM append_events(
        ARRAY[ROW('worker', stop_worker.worker_id, 'worker.stopped',
                  jsonb_build_object('worker_id', stop_worker.worker_id, 'reason', stop_worker.reason),
                  NULL, NULL, NULL, NULL)::event_draft],
        'worker:' || stop_worker.worker_id, stop_worker.at) a);
END $$;
