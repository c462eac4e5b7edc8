-- A time as JSON answers tell it: ISO 8601 in UTC with Z, whatever the session's time zone.
--
--   SELECT json_time(now());

CREATE FUNCTION json_time(at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
