-- Folds the version of streams that have no read-model row of their own to lock into stream_heads.
--
--   SELECT * FROM stream_heads WHERE stream_type = 'queue';

CREATE FUNCTION project_stream_heads() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM appended a WHERE a.stream_type <> ALL (headed_stream_types())) THEN
        RETURN NULL;
    END IF;
    INSERT INTO stream_heads AS h (stream_type, stream_id, version)
    SELECT a.stream_type, a.stream_id, max(a.version)
    FROM appended a
    WHERE a.stream_type <> ALL (headed_stream_types())
    GROUP BY a.stream_type, a.stream_id
    ON CONFLICT ON CONSTRAINT stream_heads_pkey DO UPDATE SET version = excluded.version;
    RETURN NULL;
END $$;

CREATE TRIGGER project_stream_heads AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_stream_heads();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_stream_heads;
