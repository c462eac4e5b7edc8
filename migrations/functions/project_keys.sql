-- Folds key.created and key.revoked into api_keys.
--
--   SELECT name, scopes, expires_at, revoked_at FROM api_keys;

CREATE FUNCTION project_keys() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _types text[];
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('key') THEN
        RETURN NULL;
    END IF;
    _types := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'key');
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ ARRAY['key.created', 'key.revoked'] THEN
        RAISE EXCEPTION 'project_keys was not taught one of the event types %', _types
            USING ERRCODE = 'AN422', HINT = 'Teach it to functions/project_keys.sql, or list it there as ignored.';
    END IF;
    INSERT INTO api_keys (name, scopes, created_at, expires_at)
    SELECT e.stream_id, d.scopes, e.recorded_at, d.expires_at
    FROM appended e
    CROSS JOIN LATERAL jsonb_to_record(e.data) AS d (scopes text[], expires_at timestamptz)
    WHERE e.type = 'key.created';
    UPDATE api_keys k SET revoked_at = e.recorded_at
    FROM appended e
    WHERE e.type = 'key.revoked' AND k.name = e.stream_id;
    RETURN NULL;
END $$;

CREATE TRIGGER project_keys AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_keys();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_keys;
