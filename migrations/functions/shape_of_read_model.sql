-- How the rows of a read model are named, as fragments for statements over any of them.
--
-- stream_key and key_type: the column that holds the stream's id; primary_key: its columns, as a list;
-- key_object: an expression for them as jsonb; stream_type: an expression, a constant or a column of x.
-- Raises AN404 for what is no read model.
--
--   SELECT * FROM shape_of_read_model('task_attempts');

CREATE FUNCTION shape_of_read_model(
    read_model   text,
    OUT stream_key text, OUT key_type text, OUT primary_key text, OUT key_object text, OUT stream_type text, OUT free_columns text[])
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    _table regclass := to_regclass('public.' || quote_ident(shape_of_read_model.read_model));
BEGIN
    SELECT quote_ident(k.stream_key), format_type(a.atttypid, a.atttypmod),
           CASE k.stream_type WHEN '*' THEN 'x.stream_type' ELSE quote_literal(k.stream_type) END, k.free_columns
      INTO stream_key, key_type, stream_type, free_columns
    FROM table_kinds() k
    JOIN pg_attribute a ON a.attrelid = _table AND a.attname = k.stream_key
    WHERE k.kind = 'read model' AND k.table_name = shape_of_read_model.read_model;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Read model not found: %', shape_of_read_model.read_model USING ERRCODE = 'AN404',
            HINT = (SELECT format('Read models: %s.', string_agg(k.table_name, ', ' ORDER BY k.table_name))
                    FROM table_kinds() k WHERE k.kind = 'read model');
    END IF;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY o.ordinality),
           format('jsonb_build_object(%s)', string_agg(format('%L, %I', a.attname, a.attname), ', ' ORDER BY o.ordinality))
      INTO primary_key, key_object
    FROM pg_index i
    CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS o (attnum, ordinality)
    JOIN pg_attribute a ON a.attrelid = _table AND a.attnum = o.attnum
    WHERE i.indrelid = _table AND i.indisprimary;
END $$;
