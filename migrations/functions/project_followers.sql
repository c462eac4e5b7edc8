-- Folds follower.parked and follower.resumed into parked_events.
--
--   SELECT follower, position, error, times FROM parked_events;

CREATE FUNCTION project_followers() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _types text[];
    _event events;
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('follower') THEN
        RETURN NULL;
    END IF;
    _types := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'follower');
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ ARRAY['follower.parked', 'follower.resumed'] THEN
        RAISE EXCEPTION 'project_followers was not taught one of the event types %', _types
            USING ERRCODE = 'AN422', HINT = 'Teach it to functions/project_followers.sql, or list it there as ignored.';
    END IF;
    FOR _event IN SELECT a.* FROM appended a WHERE a.stream_type = 'follower' ORDER BY a.position LOOP
        IF _event.type = 'follower.parked' THEN
            INSERT INTO parked_events AS p (follower, position, error, times, parked_at)
            VALUES (_event.stream_id, (_event.data ->> 'position')::bigint, _event.data ->> 'error', 1, _event.recorded_at)
            ON CONFLICT ON CONSTRAINT parked_events_pkey DO UPDATE
                SET error = excluded.error, times = p.times + 1, parked_at = excluded.parked_at;
        ELSE
            DELETE FROM parked_events p
            WHERE p.follower = _event.stream_id AND p.position = (_event.data ->> 'position')::bigint;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER project_followers AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_followers();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_followers;
