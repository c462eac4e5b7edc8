-- Stream types whose head is a read-model row of their own; every other stream has a row in stream_heads.
--
--   SELECT headed_stream_types();

CREATE FUNCTION headed_stream_types() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY['task', 'agent'];
