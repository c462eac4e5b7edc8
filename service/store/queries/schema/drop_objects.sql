-- Drops what the last install recorded, whatever the files say today. Functions go in one statement, because
-- some are built into the bodies of others. No CASCADE: somebody else's view on ours must not vanish.
DO $$
DECLARE
    _kind    text;
    _objects text;
BEGIN
    DROP SCHEMA IF EXISTS shadow CASCADE;
    FOREACH _kind IN ARRAY ARRAY['trigger', 'view', 'materialized view', 'routine'] LOOP
        FOR _objects IN
            SELECT string_agg(o.identity, ', ') FROM schema_objects o
            WHERE o.kind = ANY (CASE _kind WHEN 'routine' THEN ARRAY['function', 'procedure', 'aggregate'] ELSE ARRAY[_kind] END)
            GROUP BY CASE _kind WHEN 'trigger' THEN o.identity END
        LOOP
            EXECUTE format('DROP %s IF EXISTS %s', _kind, _objects);
        END LOOP;
    END LOOP;
    DELETE FROM schema_objects;
END $$
