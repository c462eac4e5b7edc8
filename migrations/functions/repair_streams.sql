-- Replaces the rows of a read model that differ from the log, for these streams; returns them, before and after.
--
-- On a live system: the heads of the streams are locked first, as every write function does, so nothing
-- can be appended to them until this commits; other streams are not touched, and rows that are right are
-- not written. The repair is itself an event, in the same transaction, and the head of its stream is locked
-- with the others: behind the shadow nothing is waited for. Columns that may change without an event keep
-- what they hold. kept is the row as it was, folded as it is now (NULL: no such row). A stream that cannot be
-- folded any more is left as it is, and comes with problem only; it is found by halves.
--
--   SELECT row_key, kept, folded FROM repair_streams('queues', 'queue', '{default}');

CREATE FUNCTION repair_streams(
    read_model  text,
    stream_type text,
    stream_ids  text[],
    actor       text        DEFAULT default_actor(),
    at          timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (stream_id text, row_key jsonb, kept jsonb, folded jsonb, problem text)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _shape   record;
    _found   jsonb[];
    _keys    jsonb[];
    _problem text;
    _middle  integer := cardinality(repair_streams.stream_ids) / 2;
BEGIN
    SELECT * INTO _shape FROM shape_of_read_model(repair_streams.read_model);
    -- Retention must not pass a row by while it is missing.
    PERFORM FROM retention_marks m ORDER BY m.what FOR SHARE;
    PERFORM lock_streams(ARRAY(
        SELECT ROW(s.stream_type, s.stream_id, NULL, NULL, NULL, NULL, NULL, NULL)::event_draft
        FROM (SELECT repair_streams.stream_type, u AS stream_id FROM unnest(repair_streams.stream_ids) u
              UNION SELECT h.stream_type, h.stream_id FROM stream_heads h
              WHERE h.stream_type = 'projection' AND h.stream_id = repair_streams.read_model) s));
    EXECUTE format('SELECT FROM public.%1$I x WHERE x.%2$s = ANY ($1::%3$s[]) AND %4$s = $2 ORDER BY %5$s FOR UPDATE',
                   repair_streams.read_model, _shape.stream_key, _shape.key_type, _shape.stream_type, _shape.primary_key)
    USING repair_streams.stream_ids, repair_streams.stream_type;
    _problem := fold_problem(repair_streams.stream_type, repair_streams.stream_ids);
    IF _problem IS NOT NULL AND _middle = 0 THEN
        RETURN QUERY SELECT repair_streams.stream_ids[1], NULL::jsonb, NULL::jsonb, NULL::jsonb, _problem;
        RETURN;
    ELSIF _problem IS NOT NULL THEN
        RETURN QUERY SELECT h.* FROM (VALUES (repair_streams.stream_ids[:_middle]), (repair_streams.stream_ids[_middle + 1:])) AS half (ids)
            CROSS JOIN LATERAL repair_streams(repair_streams.read_model, repair_streams.stream_type, half.ids,
                                              repair_streams.actor, repair_streams.at) h;
        RETURN;
    END IF;
    _found := ARRAY(SELECT to_jsonb(c)
                    FROM compare_shadow(repair_streams.read_model, repair_streams.stream_type, repair_streams.stream_ids) c);
    IF _found <> '{}' THEN
        _keys := ARRAY(SELECT f -> 'row_key' FROM unnest(_found) f);
        EXECUTE format('DELETE FROM public.%1$I x WHERE x.%2$s = ANY ($1::%3$s[]) AND %4$s = ANY ($2)',
                       repair_streams.read_model, _shape.stream_key, _shape.key_type, _shape.key_object)
        USING repair_streams.stream_ids, _keys;
        -- A row may stand under the right key for the wrong stream.
        EXECUTE format('DELETE FROM public.%1$I x USING (SELECT * FROM shadow.%1$I WHERE %2$s = ANY ($1)) s WHERE (%3$s) = (%4$s)',
                       repair_streams.read_model, _shape.key_object, 's.' || replace(_shape.primary_key, ', ', ', s.'),
                       'x.' || replace(_shape.primary_key, ', ', ', x.')) USING _keys;
        EXECUTE format('INSERT INTO public.%1$I SELECT x.* FROM shadow.%1$I x WHERE %2$s = ANY ($1)',
                       repair_streams.read_model, _shape.key_object) USING _keys;
        PERFORM record_repair(repair_streams.read_model, _keys, repair_streams.actor, repair_streams.at);
    END IF;
    PERFORM empty_shadow();
    RETURN QUERY SELECT f ->> 'stream_id', f -> 'row_key', nullif(f -> 'kept', 'null'), nullif(f -> 'folded', 'null'), NULL
                 FROM unnest(_found) f;
END $$;
