-- Removes the rows of a read model that no stream explains, on these pages of its table; returns them.
--
-- Locked first and judged afterwards, by a later snapshot: a row whose first event was about to commit stays.
--
--   SELECT row_key, kept FROM repair_strays('queues', 0, 999);

CREATE FUNCTION repair_strays(
    read_model text,
    first_page bigint,
    last_page  bigint,
    actor      text        DEFAULT default_actor(),
    at         timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (stream_type text, stream_id text, row_key jsonb, kept jsonb)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _shape record;
    _found jsonb[];
    _keys  jsonb[] := ARRAY(SELECT s.row_key
                            FROM rows_without_stream(repair_strays.read_model, repair_strays.first_page, repair_strays.last_page) s);
BEGIN
    IF _keys = '{}' THEN
        RETURN;
    END IF;
    SELECT * INTO _shape FROM shape_of_read_model(repair_strays.read_model);
    EXECUTE format('SELECT FROM public.%1$I x WHERE %2$s = ANY ($1) ORDER BY %3$s FOR UPDATE',
                   repair_strays.read_model, _shape.key_object, _shape.primary_key) USING _keys;
    _found := ARRAY(SELECT to_jsonb(s)
                    FROM rows_without_stream(repair_strays.read_model, repair_strays.first_page, repair_strays.last_page) s
                    WHERE s.row_key = ANY (_keys));
    _keys := ARRAY(SELECT f -> 'row_key' FROM unnest(_found) f);
    EXECUTE format('DELETE FROM public.%1$I x WHERE %2$s = ANY ($1)', repair_strays.read_model, _shape.key_object) USING _keys;
    IF _keys <> '{}' THEN
        PERFORM record_repair(repair_strays.read_model, _keys, repair_strays.actor, repair_strays.at);
    END IF;
    RETURN QUERY SELECT f ->> 'stream_type', f ->> 'stream_id', f -> 'row_key', f -> 'kept' FROM unnest(_found) f;
END $$;
