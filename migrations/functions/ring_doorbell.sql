-- Wakes listeners from inside a writing transaction: what a person at a psql prompt expects.
--
-- NOTIFY in a writing transaction takes a lock that serialises commits, so the service passes
-- ring => false and rings after commit, on a connection of its own.
--
--   SELECT ring_doorbell('annals_tasks', 'default');

CREATE FUNCTION ring_doorbell(channel text, payload text DEFAULT '') RETURNS void
LANGUAGE sql VOLATILE
AS $$ SELECT pg_notify(ring_doorbell.channel, coalesce(ring_doorbell.payload, '')), pg_notify('annals_events', '') $$;
