-- Whether a backoff policy is one that backoff_delay understands.
--
--   SELECT valid_backoff('{"kind": "fixed", "seconds": 30}');

CREATE FUNCTION valid_backoff(backoff jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN jsonb_typeof(backoff) IS DISTINCT FROM 'object' THEN false
    WHEN backoff - ARRAY['kind', 'seconds', 'factor', 'max_seconds', 'jitter'] <> '{}' THEN false
    WHEN backoff ->> 'kind' = 'list' THEN
        jsonb_typeof(backoff -> 'seconds') = 'array' AND jsonb_array_length(backoff -> 'seconds') > 0
        AND NOT jsonb_path_exists(backoff, '$.seconds[*] ? (@.type() != "number" || @ < 0)')
    WHEN backoff ->> 'kind' IN ('none', 'fixed', 'exponential') THEN
        NOT jsonb_path_exists(backoff, '$.keyvalue() ? (@.key != "kind").value ? (@.type() != "number" || @ < 0)')
        AND coalesce((backoff -> 'jitter')::float8 <= 1, true)
    ELSE false
END;
