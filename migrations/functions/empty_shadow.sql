-- Empties the tables of the schema shadow that hold anything, and keeps other audits waiting until this transaction ends.
--
-- TRUNCATE and not DELETE: rolled back, it leaves no dead rows behind. All audits take the shadow's log first, and
-- whoever needs heads or rows of the real tables has locked them before: so two of them only ever wait. Raises
-- AN409, with who holds it, when that takes longer than audits hold a chunk.
--
--   BEGIN; SELECT empty_shadow(); ROLLBACK;

CREATE FUNCTION empty_shadow() RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp SET lock_timeout = '30s' AS $$
BEGIN
    LOCK TABLE shadow.events IN ACCESS EXCLUSIVE MODE;
    EXECUTE (SELECT 'TRUNCATE ' || string_agg(c.oid::regclass::text, ', ' ORDER BY c.relname)
             FROM pg_class c
             WHERE c.relnamespace = to_regnamespace('shadow') AND c.relkind = 'r'
               AND (c.relname = 'events' OR pg_relation_size(c.oid) > 0));
EXCEPTION WHEN lock_not_available THEN
    RAISE EXCEPTION 'another audit has held the shadow for %', current_setting('lock_timeout') USING ERRCODE = 'AN409',
        HINT = format('Audits of one database take turns. Wait for it to end; process %s of the server holds the shadow.',
                      (SELECT string_agg(DISTINCT l.pid::text, ', ') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                       WHERE c.relnamespace = to_regnamespace('shadow') AND l.granted AND l.pid <> pg_backend_pid()));
END $$;
