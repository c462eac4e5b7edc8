-- Ends an import: moves the rows that were folded to their tables, and the sequences behind what was imported.
--
-- New events continue after last_position, new tasks after the highest task-<number>.
-- ALTER SEQUENCE gives the sequences a new file, so that a rollback takes the new values back too; setval
-- alone would not. The number of a forged id that no sequence could have drawn is not looked at.
--
--   SELECT finish_import(4711);   -- ERROR:  no import has begun

CREATE FUNCTION finish_import(last_position bigint) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    _table  text;
    _last   bigint := greatest(finish_import.last_position, (SELECT max(e.position) FROM events e));
    _number bigint := (SELECT max(substr(e.stream_id, 6)::bigint) FROM events e
                       WHERE e.stream_type = 'task' AND e.version = 1 AND e.stream_id ~ '^task-[0-9]{9,18}$');
BEGIN
    IF to_regclass('pg_temp.incoming') IS NULL THEN
        RAISE EXCEPTION 'no import has begun' USING ERRCODE = 'AN409', HINT = 'SELECT begin_import(); in the same transaction.';
    ELSIF EXISTS (SELECT FROM pg_temp.incoming) THEN
        RAISE EXCEPTION 'events are left that were not imported' USING ERRCODE = 'AN409', HINT = 'SELECT import_events(...);';
    END IF;
    FOR _table IN SELECT k.table_name FROM table_kinds() k WHERE k.kind = 'read model' ORDER BY k.table_name LOOP
        EXECUTE format('INSERT INTO public.%1$I SELECT * FROM pg_temp.%1$I', _table);
        EXECUTE format('DROP TABLE pg_temp.%I', _table);
    END LOOP;
    IF _last > 0 THEN
        ALTER SEQUENCE events_position RESTART;
        PERFORM setval('events_position', _last);
    END IF;
    IF _number > coalesce(pg_sequence_last_value('task_number'), 0) THEN
        ALTER SEQUENCE task_number RESTART;
        PERFORM setval('task_number', _number);
    END IF;
    DROP TABLE pg_temp.incoming;
    EXECUTE (SELECT 'ANALYZE ' || string_agg(format('%I', k.table_name), ', ' ORDER BY k.table_name)
             FROM table_kinds() k WHERE k.kind IN ('read model', 'log'));
END $$;
