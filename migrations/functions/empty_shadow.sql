-- Empties the tables of the schema shadow, and keeps other audits waiting until this transaction ends.
--
-- TRUNCATE and not DELETE: rolled back, it leaves no dead rows behind.
--
--   BEGIN; SELECT empty_shadow(); ROLLBACK;

CREATE FUNCTION empty_shadow() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(c.oid::regclass::text, ', ' ORDER BY c.relname)
             FROM pg_class c WHERE c.relnamespace = to_regnamespace('shadow') AND c.relkind = 'r');
END $$;
