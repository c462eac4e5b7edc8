-- Whether this database was ever migrated: the tables of both ledgers are there.
SELECT to_regclass('public._yoyo_migration') IS NOT NULL AND to_regclass('public.schema_objects') IS NOT NULL
