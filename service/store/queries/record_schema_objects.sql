INSERT INTO schema_objects (digest, functions, views) VALUES (%(digest)s, %(functions)s, %(views)s)
ON CONFLICT (only_row) DO UPDATE SET digest = excluded.digest, functions = excluded.functions, views = excluded.views
