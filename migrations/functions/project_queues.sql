-- Folds queue.paused and queue.resumed into queues.
--
--   SELECT * FROM queues WHERE paused;

CREATE FUNCTION project_queues() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _types text[];
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('queue') THEN
        RETURN NULL;
    END IF;
    _types := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'queue');
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ ARRAY['queue.paused', 'queue.resumed'] THEN
        RAISE EXCEPTION 'project_queues was not taught one of the event types %', _types
            USING ERRCODE = 'AN422', HINT = 'Teach it to functions/project_queues.sql, or list it there as ignored.';
    END IF;
    INSERT INTO queues (queue, paused, reason, changed_at)
    SELECT DISTINCT ON (e.stream_id) e.stream_id, e.type = 'queue.paused', e.data ->> 'reason', e.recorded_at
    FROM appended e WHERE e.stream_type = 'queue'
    ORDER BY e.stream_id, e.version DESC
    ON CONFLICT ON CONSTRAINT queues_pkey DO UPDATE
        SET paused = excluded.paused, reason = excluded.reason, changed_at = excluded.changed_at;
    RETURN NULL;
END $$;

CREATE TRIGGER project_queues AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_queues();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_queues;
