DO $$
DECLARE
    _drop text;
BEGIN
    IF to_regclass('public.schema_objects') IS NULL THEN
        RETURN;
    END IF;
    -- All names first: a function that another one's CASCADE took away could not be named any more.
    FOREACH _drop IN ARRAY ARRAY(
        SELECT format('DROP VIEW IF EXISTS public.%I CASCADE', v) FROM public.schema_objects o, unnest(o.views) v
        UNION ALL
        SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', p.oid::regprocedure)
        FROM public.schema_objects o JOIN pg_proc p ON p.proname = ANY (o.functions)
        WHERE p.pronamespace = 'public'::regnamespace)
    LOOP
        EXECUTE _drop;
    END LOOP;
END $$
