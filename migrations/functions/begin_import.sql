-- Begins to fill an empty log with events that were recorded elsewhere; refused when anything is in it.
--
-- Begin, COPY into pg_temp.incoming, import_events, again and again, finish_import: one transaction, all or
-- nothing. Writers wait until it ends, because they must not append to a log that is about to have other
-- events; readers go on. The tables are locked as the law of writing says, events last, so that no writer
-- that waits already holds what the folds need. Only the owner may do this.
--
-- Followers see all of it or nothing: positions are given here and not drawn, so the fence that the first
-- insert takes holds at 0, below all of them, until the commit. That is why no position may ever have been
-- drawn before: a follower could have gone past it.
--
-- Read models are folded in temporary copies, without the indexes of readers and without WAL, and finish_import
-- moves the rows that are left: once for each, however often it changed. A commit before that loses them.
--
--   SELECT begin_import();   -- ERROR:  the log is not empty

CREATE FUNCTION begin_import() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    _table text;
    _found boolean;
BEGIN
    FOR _table IN SELECT k.table_name FROM table_kinds() k WHERE k.kind IN ('read model', 'log')
                  ORDER BY k.kind DESC, k.table_name
    LOOP
        EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', _table);
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', _table) INTO _found;
        IF _found AND _table <> 'events' THEN
            CONTINUE WHEN EXISTS (SELECT FROM events);  -- the log itself says it better
            RAISE EXCEPTION 'the log is empty, but % is not', _table
                USING ERRCODE = 'AN409', HINT = 'Import into a database of its own: createdb, annals migrate, annals audit import.';
        END IF;
    END LOOP;
    IF _found THEN
        RAISE EXCEPTION 'the log is not empty: its first event is %',
            (SELECT format('%s of %s/%s at position %s', e.type, e.stream_type, e.stream_id, e.position)
             FROM events e ORDER BY e.position LIMIT 1)
            USING ERRCODE = 'AN409', HINT = 'Import into a database of its own: createdb, annals migrate, annals audit import.';
    ELSIF pg_sequence_last_value('events_position') IS NOT NULL THEN
        RAISE EXCEPTION 'positions up to % of this log have been handed out already', pg_sequence_last_value('events_position')
            USING ERRCODE = 'AN409', HINT = 'Import into a database of its own: createdb, annals migrate, annals audit import.';
    END IF;
    -- The file may come slowly, and a fold may take its time.
    PERFORM set_config('idle_in_transaction_session_timeout', '0', true), set_config('statement_timeout', '0', true);
    PERFORM copy_shape(k.table_name, format('pg_temp.%I', k.table_name), 'TEMPORARY') FROM table_kinds() k WHERE k.kind = 'read model';
    CREATE TEMPORARY TABLE incoming (LIKE events, PRIMARY KEY (position)) ON COMMIT DROP;
    -- Neither compressed here nor on the way: its size is what the bound of an event is about.
    ALTER TABLE pg_temp.incoming ALTER data SET STORAGE EXTERNAL;
END $$;
