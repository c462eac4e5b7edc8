-- Moves pg_temp.incoming into the log, as it is, and folds it; returns the number of events.
--
-- The folds are the projections of every append, fired by these inserts. They fold several events of one
-- stream in rounds over everything appended, which costs the square of a batch; so the events are inserted
-- in rounds, the first of each stream, the second, and so on. Streams without a row of their own to lock are
-- folded in one go anyhow, and all come with the first round; but retention, which takes rows that the others
-- make, with the last.
--
-- data_digest is the SHA-256 of the texts of data, one after the other: what is stored must print exactly as
-- the file wrote it, or its own digest would be about something else.
--
--   SELECT import_events(sha256(''));   -- ERROR:  no import has begun

CREATE FUNCTION import_events(data_digest bytea) RETURNS integer
LANGUAGE plpgsql
-- So the folds find the temporary copies of the read models.
SET search_path = pg_temp, public
-- With statistics from when the log was empty, the planner would scan all of it for each batch.
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    _round  record;
    _event  events;
    _firsts bigint[] := '{}';
    _total  integer := 0;
BEGIN
    IF to_regclass('pg_temp.incoming') IS NULL THEN
        RAISE EXCEPTION 'no import has begun' USING ERRCODE = 'AN409', HINT = 'SELECT begin_import(); in the same transaction.';
    END IF;
    IF import_events.data_digest IS DISTINCT FROM
        (SELECT sha256(convert_to(coalesce(string_agg(i.data::text, '' ORDER BY i.position), ''), 'UTF8')) FROM pg_temp.incoming i)
    THEN
        RAISE EXCEPTION 'the data is not written as PostgreSQL prints it'
            USING ERRCODE = 'AN422', HINT = 'Spaces, the order of keys and the spelling of numbers count: do not reformat an export.';
    END IF;
    SELECT i.* INTO _event FROM pg_temp.incoming i WHERE pg_column_size(i.data) > max_event_bytes() LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the data of % is larger than % bytes', _event.type, max_event_bytes()
            USING ERRCODE = 'AN413', HINT = 'If the exporting database allows more: ALTER DATABASE ... SET annals.max_event_bytes = ...';
    END IF;
    PERFORM intern_lanes(ARRAY(
        SELECT ROW(0, NULL, NULL, l.queue, l.class, l.limit_group, NULL, NULL, NULL, NULL, NULL)::task_draft
        FROM (SELECT DISTINCT i.data ->> 'queue' AS queue, priority_class((i.data ->> 'priority')::smallint) AS class,
                     coalesce(i.data ->> 'limit_group', '') AS limit_group
              FROM pg_temp.incoming i WHERE i.type = 'task.enqueued') l));
    FOR _round IN
        SELECT array_agg(r.position ORDER BY r.position) AS positions,
               coalesce(array_agg(r.position) FILTER (WHERE r.version > 1 AND r.follows IS NOT TRUE), '{}') AS firsts
        FROM (SELECT i.position, i.version,
                     lag(i.version) OVER stream = i.version - 1 AND lag(i.position) OVER stream < i.position AS follows,
                     CASE WHEN i.stream_type = ANY (headed_stream_types()) THEN row_number() OVER stream
                          WHEN i.stream_type = 'retention' THEN 2147483647 ELSE 1 END AS round
              FROM pg_temp.incoming i
              WINDOW stream AS (PARTITION BY i.stream_type, i.stream_id ORDER BY i.version)) r
        GROUP BY r.round ORDER BY r.round
    LOOP
        INSERT INTO public.events
        SELECT i.* FROM pg_temp.incoming i WHERE i.position = ANY (_round.positions) ORDER BY i.position;
        _total := _total + cardinality(_round.positions);
        _firsts := _firsts || _round.firsts;
    END LOOP;
    -- What does not follow an event of this batch must follow one that is there already.
    SELECT i.* INTO _event FROM pg_temp.incoming i
    WHERE i.position = ANY (_firsts)
      AND NOT EXISTS (SELECT FROM public.events e
                      WHERE e.stream_type = i.stream_type AND e.stream_id = i.stream_id AND e.version = i.version - 1
                        AND e.position < i.position)
    ORDER BY i.position LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'version % of %/% has no version % before it', _event.version, _event.stream_type, _event.stream_id,
            _event.version - 1
            USING ERRCODE = 'AN422', HINT = 'Only whole streams can be imported: export from the first position on, or with --task.';
    END IF;
    TRUNCATE pg_temp.incoming;
    RETURN _total;
END $$;
