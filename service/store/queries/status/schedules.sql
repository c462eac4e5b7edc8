-- Overdue is what fires once for all that it missed, and has not yet; a schedule that skips what it missed never is.
SELECT name, enabled, extract(epoch FROM clock_timestamp() - last_fired_at)::double precision AS last_fired_seconds,
       CASE WHEN enabled AND missed_fires = 'once'
            THEN greatest(extract(epoch FROM clock_timestamp() - next_due_at), 0) ELSE 0 END::double precision AS overdue_seconds,
       last_error
FROM schedules
ORDER BY name
