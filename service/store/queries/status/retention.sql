SELECT what, removed, extract(epoch FROM clock_timestamp() - applied_at)::double precision AS last_seconds
FROM retention_totals
ORDER BY what
