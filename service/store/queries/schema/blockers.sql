-- Who holds a lock on the log now.
SELECT string_agg(DISTINCT l.pid::text, ', ')
FROM pg_locks l
WHERE l.relation = to_regclass('public.events') AND l.granted AND l.pid <> pg_backend_pid()
