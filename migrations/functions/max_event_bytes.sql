-- Bound of one event's data, as stored. Set annals.max_event_bytes on the role or database to change it.
--
--   ALTER DATABASE annals SET annals.max_event_bytes = 1048576;

CREATE FUNCTION max_event_bytes() RETURNS integer
LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('annals.max_event_bytes', true), '')::integer, 262144);
