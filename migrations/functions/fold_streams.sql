-- Folds whole streams into the schema shadow, which it empties first; returns the number of their events.
--
-- One statement for each version, so that no statement holds two events of one stream: the folds would
-- then go over everything in rounds, and a chunk with one long stream would cost the square of its length.
-- Events of other streams that reach into these come last, when all rows that they change are there.
-- An error of the fold is raised again with the version at which it came. The caller rolls back.
--
--   BEGIN; SELECT fold_streams('task', '{task-100000001}'); SELECT * FROM shadow.background_tasks; ROLLBACK;

CREATE FUNCTION fold_streams(stream_type text, stream_ids text[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = shadow, public, pg_temp AS $$
DECLARE
    _ids      text[] := fold_streams.stream_ids;
    _last     integer[];
    _version  integer := 0;
    _count    bigint;
    _total    bigint := 0;
    _reaching bigint[] := ARRAY(SELECT reaching_events(fold_streams.stream_type, fold_streams.stream_ids));
BEGIN
    PERFORM ready_shadow(ARRAY(SELECT fold_streams.stream_type
                               UNION SELECT e.stream_type FROM public.events e WHERE e.position = ANY (_reaching)));
    SELECT array_agg(s.stream_id ORDER BY s.last), array_agg(s.last ORDER BY s.last) INTO _ids, _last
    FROM (SELECT e.stream_id, max(e.version) AS last FROM public.events e
          WHERE e.stream_type = fold_streams.stream_type AND e.stream_id = ANY (fold_streams.stream_ids)
          GROUP BY e.stream_id) s;
    WHILE _version < _last[cardinality(_last)] LOOP
        _version := _version + 1;
        -- Streams stand in the order of their length: those that have ended are cut off at the left.
        IF _last[1] < _version THEN
            _ids := _ids[(SELECT count(*) + 1 FROM unnest(_last) l WHERE l < _version):];
            _last := _last[(SELECT count(*) + 1 FROM unnest(_last) l WHERE l < _version):];
        END IF;
        INSERT INTO shadow.events
        SELECT e.* FROM public.events e
        WHERE e.stream_type = fold_streams.stream_type AND e.stream_id = ANY (_ids) AND e.version = _version;
        GET DIAGNOSTICS _count = ROW_COUNT;
        _total := _total + _count;
    END LOOP;
    IF _reaching <> '{}' THEN
        INSERT INTO shadow.events
        SELECT e.* FROM public.events e WHERE e.position = ANY (_reaching) ORDER BY e.position;
    END IF;
    RETURN _total;
EXCEPTION WHEN integrity_constraint_violation OR data_exception OR SQLSTATE 'AN422' THEN
    RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = format('event %s cannot be folded: %s', _version, SQLERRM);
END $$;
