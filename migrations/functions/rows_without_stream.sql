-- Rows of a read model whose stream has no event, among those on pages first_page to last_page of its table.
--
-- By pages, because nobody writes to such a row: it does not move, and no order of keys is needed.
--
--   SELECT * FROM rows_without_stream('background_tasks', 0, 999);

CREATE FUNCTION rows_without_stream(read_model text, first_page bigint, last_page bigint)
RETURNS TABLE (stream_type text, stream_id text, row_key jsonb, kept jsonb)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    _shape record;
BEGIN
    SELECT * INTO _shape FROM shape_of_read_model(rows_without_stream.read_model);
    RETURN QUERY EXECUTE format($sql$
        SELECT %2$s::text, x.%3$s::text, %4$s, to_jsonb(x) FROM public.%1$I x
        WHERE x.ctid >= format('(%%s,0)', $1)::tid AND x.ctid < format('(%%s,0)', $2 + 1)::tid
          AND NOT EXISTS (SELECT FROM public.events e WHERE e.stream_type = %2$s AND e.stream_id = x.%3$s::text)$sql$,
        rows_without_stream.read_model, _shape.stream_type, _shape.stream_key, _shape.key_object)
    USING rows_without_stream.first_page, rows_without_stream.last_page;
END $$;
