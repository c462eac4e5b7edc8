-- Folds worker.* events into workers.
--
--   SELECT worker_id, status, reason FROM workers;

CREATE FUNCTION project_workers() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _types text[];
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('worker') THEN
        RETURN NULL;
    END IF;
    _types := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'worker');
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ ARRAY['worker.started', 'worker.stopped', 'worker.lost'] THEN
        RAISE EXCEPTION 'project_workers was not taught one of the event types %', _types
            USING ERRCODE = 'AN422', HINT = 'Teach it to functions/project_workers.sql, or list it there as ignored.';
    END IF;
    INSERT INTO workers (worker_id, status, host, pid, queues, task_types, concurrency, code_version, started_at, seen_at)
    SELECT e.stream_id, 'live', d.host, d.pid, d.queues, d.task_types, d.concurrency, d.code_version, e.recorded_at, e.recorded_at
    FROM appended e
    CROSS JOIN LATERAL jsonb_to_record(e.data) AS d (
        host text, pid integer, queues text[], task_types text[], concurrency integer, code_version text)
    WHERE e.type = 'worker.started';
    UPDATE workers w
    SET status = substr(e.type, 8), stopped_at = e.recorded_at, reason = e.data ->> 'reason'
    FROM (SELECT DISTINCT ON (a.stream_id) a.* FROM appended a
          WHERE a.type IN ('worker.stopped', 'worker.lost') ORDER BY a.stream_id, a.version DESC) e
    WHERE w.worker_id = e.stream_id;
    RETURN NULL;
END $$;

CREATE TRIGGER project_workers AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_workers();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_workers;
