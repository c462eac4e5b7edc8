-- Rows of a read model that differ from their fold in the schema shadow, for the streams just folded there.
--
-- row_key is the primary key, kept the row as it is, folded as the log says it is (NULL: no such row).
-- Columns that may change without an event (table_kinds) are taken over into the fold first.
--
--   BEGIN; SELECT fold_streams('queue', '{default}'); SELECT * FROM compare_shadow('queues', 'queue', '{default}'); ROLLBACK;

CREATE FUNCTION compare_shadow(read_model text, stream_type text, stream_ids text[])
RETURNS TABLE (stream_id text, row_key jsonb, kept jsonb, folded jsonb)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    _shape record;
BEGIN
    SELECT * INTO _shape FROM shape_of_read_model(compare_shadow.read_model);
    IF _shape.free_columns <> '{}' THEN
        EXECUTE (SELECT format('UPDATE shadow.%1$I s SET %2$s FROM public.%1$I p WHERE ROW(%3$s) = ROW(%4$s)',
                               compare_shadow.read_model, string_agg(format('%1$I = p.%1$I', c), ', '),
                               's.' || replace(_shape.primary_key, ', ', ', s.'), 'p.' || replace(_shape.primary_key, ', ', ', p.'))
                 FROM unnest(_shape.free_columns) c);
    END IF;
    RETURN QUERY EXECUTE format($sql$
        SELECT coalesce(p.%2$s, s.%2$s)::text, %3$s, to_jsonb(p), to_jsonb(s)
        FROM (SELECT * FROM public.%1$I x WHERE x.%2$s = ANY ($1::%4$s[]) AND %5$s = $2) p
        FULL JOIN (SELECT * FROM shadow.%1$I x WHERE x.%2$s = ANY ($1::%4$s[]) AND %5$s = $2) s USING (%6$s)
        WHERE ROW(p.*) IS DISTINCT FROM ROW(s.*)
        ORDER BY %6$s$sql$,
        compare_shadow.read_model, _shape.stream_key, _shape.key_object, _shape.key_type, _shape.stream_type, _shape.primary_key)
    USING compare_shadow.stream_ids, compare_shadow.stream_type;
END $$;
