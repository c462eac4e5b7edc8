-- Makes an empty copy of a table, in which the folds can do what they do in the real one; how is UNLOGGED or TEMPORARY.
--
-- Defaults, checks and keys are those of the table; the keys by their own names, because a fold says ON CONFLICT ON
-- CONSTRAINT, and LIKE would choose others. Without the indexes that only readers need, and of the log without the
-- order of streams. Pages are filled as the real ones are, or no update of a fold could stay on its page. A temporary
-- copy goes at the end of the transaction.
--
--   SELECT copy_shape('queues', 'pg_temp.queues', 'TEMPORARY');

CREATE FUNCTION copy_shape(table_name text, copy text, how text) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    _table regclass := format('public.%I', copy_shape.table_name);
    _rule  record;
BEGIN
    EXECUTE format('CREATE %s TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED)%s', copy_shape.how,
                   copy_shape.copy, _table, CASE copy_shape.how WHEN 'TEMPORARY' THEN ' ON COMMIT DROP' ELSE '' END);
    FOR _rule IN SELECT format('ADD CONSTRAINT %I %s', c.conname, pg_get_constraintdef(c.oid)) AS clause
                 FROM pg_constraint c
                 WHERE c.conrelid = _table AND (c.contype = 'p' OR c.contype = 'u' AND copy_shape.table_name <> 'events')
                 UNION ALL
                 SELECT format('SET (fillfactor = %s)', o.option_value)
                 FROM pg_class c CROSS JOIN pg_options_to_table(c.reloptions) o
                 WHERE c.oid = _table AND o.option_name = 'fillfactor'
    LOOP
        EXECUTE format('ALTER TABLE %s %s', copy_shape.copy, _rule.clause);
    END LOOP;
END $$;
