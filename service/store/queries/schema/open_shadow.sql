DO $$
BEGIN
    IF to_regprocedure('public.open_shadow()') IS NOT NULL THEN
        PERFORM open_shadow();
    END IF;
END $$
