-- Folds endpoint.paused, endpoint.resumed and endpoint.disabled into webhook_endpoints.
--
-- secret.rotated stands on the same streams and changes no row but the version: secrets stay outside the log.
--
--   SELECT endpoint, status, reason FROM webhook_endpoints WHERE status <> 'active';

CREATE FUNCTION project_endpoints() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _types text[];
    _event events;
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('endpoint') THEN
        RETURN NULL;
    END IF;
    _types := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'endpoint');
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ ARRAY['endpoint.paused', 'endpoint.resumed', 'endpoint.disabled', 'secret.rotated'] THEN
        RAISE EXCEPTION 'project_endpoints was not taught one of the event types %', _types
            USING ERRCODE = 'AN422', HINT = 'Teach it to functions/project_endpoints.sql, or list it there as ignored.';
    END IF;
    FOR _event IN SELECT a.* FROM appended a WHERE a.stream_type = 'endpoint' ORDER BY a.position LOOP
        IF _event.type = 'secret.rotated' THEN
            UPDATE webhook_endpoints n SET version = _event.version WHERE n.endpoint = _event.stream_id;
        ELSE
            INSERT INTO webhook_endpoints AS n (endpoint, status, reason, changed_at, version)
            VALUES (_event.stream_id, CASE _event.type WHEN 'endpoint.resumed' THEN 'active' ELSE substr(_event.type, 10) END,
                    _event.data ->> 'reason', _event.recorded_at, _event.version)
            ON CONFLICT ON CONSTRAINT webhook_endpoints_pkey DO UPDATE
                SET status = excluded.status, reason = excluded.reason, changed_at = excluded.changed_at, version = excluded.version;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER project_endpoints AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_endpoints();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_endpoints;
