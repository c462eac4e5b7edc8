-- The rows of each table that has any, as the last ANALYZE found them.
SELECT c.oid::regclass::text AS name, c.reltuples::bigint AS number
FROM pg_class c
WHERE c.relkind = 'r' AND c.reltuples >= 1 AND c.relpersistence <> 't'
  AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY number DESC, name
