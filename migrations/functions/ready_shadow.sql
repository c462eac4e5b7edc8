-- Empties the shadow, and gives new files to those of its tables into which events of these stream types fold.
--
-- Rows that are rolled back stay in the file that they were written to; so each table gets another one first, which
-- goes with the transaction. Files cost time, of a chunk of a few hundred streams most of it: so no others get one.
--
--   BEGIN; SELECT ready_shadow('{task}'); ROLLBACK;

CREATE FUNCTION ready_shadow(stream_types text[]) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    _filled text;
BEGIN
    PERFORM empty_shadow();
    SELECT string_agg(format('shadow.%I', k.table_name), ', ' ORDER BY k.table_name) INTO _filled
    FROM table_kinds() k
    WHERE k.kind = 'read model'
      AND (k.stream_type = ANY (ready_shadow.stream_types)
           OR k.stream_type = '*' AND NOT ready_shadow.stream_types <@ headed_stream_types());
    IF _filled IS NOT NULL THEN
        EXECUTE 'TRUNCATE ' || _filled;
    END IF;
END $$;
