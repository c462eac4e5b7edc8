-- Bound of one event's data, as stored: 256 KiB, unless annals.max_event_bytes is set.
--
-- A superuser sets it for all: ALTER DATABASE annals SET annals.max_event_bytes = 1048576. The service's
-- own bound (events.max_bytes) should then be the same.
--
--   SELECT max_event_bytes();

CREATE FUNCTION max_event_bytes() RETURNS integer
LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('annals.max_event_bytes', true), '')::integer, 262144);
