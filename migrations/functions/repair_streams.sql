-- Replaces the rows of a read model that differ from the log, for these streams; returns how many.
--
-- On a live system: the heads of the streams are locked first, as every write function does, so nothing
-- can be appended to them until this commits; other streams are not touched, and rows that are right are
-- not written. The repair is itself an event, in the same transaction. Columns that may change without an
-- event keep what they hold.
--
--   SELECT repair_streams('queues', 'queue', '{default}');

CREATE FUNCTION repair_streams(
    read_model  text,
    stream_type text,
    stream_ids  text[],
    actor       text        DEFAULT default_actor(),
    at          timestamptz DEFAULT clock_timestamp()
) RETURNS integer
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    _shape record;
    _keys  jsonb[];
BEGIN
    SELECT * INTO _shape FROM shape_of_read_model(repair_streams.read_model);
    PERFORM lock_streams(ARRAY(SELECT ROW(repair_streams.stream_type, s, NULL, NULL, NULL, NULL, NULL, NULL)::event_draft
                               FROM unnest(repair_streams.stream_ids) s));
    EXECUTE format('SELECT FROM public.%1$I x WHERE x.%2$s = ANY ($1::%3$s[]) AND %4$s = $2 ORDER BY %5$s FOR UPDATE',
                   repair_streams.read_model, _shape.stream_key, _shape.key_type, _shape.stream_type, _shape.primary_key)
    USING repair_streams.stream_ids, repair_streams.stream_type;
    PERFORM fold_streams(repair_streams.stream_type, repair_streams.stream_ids);
    _keys := ARRAY(SELECT c.row_key
                   FROM compare_shadow(repair_streams.read_model, repair_streams.stream_type, repair_streams.stream_ids) c);
    IF _keys <> '{}' THEN
        EXECUTE format('DELETE FROM public.%1$I x WHERE x.%2$s = ANY ($1::%3$s[]) AND %4$s = ANY ($2)',
                       repair_streams.read_model, _shape.stream_key, _shape.key_type, _shape.key_object)
        USING repair_streams.stream_ids, _keys;
        EXECUTE format('INSERT INTO public.%1$I SELECT x.* FROM shadow.%1$I x WHERE %2$s = ANY ($1)',
                       repair_streams.read_model, _shape.key_object) USING _keys;
        PERFORM record_repair(repair_streams.read_model, cardinality(_keys), repair_streams.actor, repair_streams.at);
    END IF;
    PERFORM empty_shadow();
    RETURN cardinality(_keys);
END $$;
