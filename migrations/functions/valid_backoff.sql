-- Whether a backoff policy is one that backoff_delay understands.
--
-- Numbers are bounded (10^9 seconds, a factor of 1000), because a delay that overflows would make the
-- task's failure itself fail, for ever.
--
--   SELECT valid_backoff('{"kind": "fixed", "seconds": 30}');

CREATE FUNCTION valid_backoff(backoff jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN jsonb_typeof(backoff) IS DISTINCT FROM 'object' THEN false
    WHEN backoff - ARRAY['kind', 'seconds', 'factor', 'max_seconds', 'jitter'] <> '{}' THEN false
    WHEN backoff ->> 'kind' = 'list' THEN
        jsonb_typeof(backoff -> 'seconds') = 'array' AND jsonb_array_length(backoff -> 'seconds') > 0
        AND NOT jsonb_path_exists(backoff, '$.seconds[*] ? (@.type() != "number" || @ < 0 || @ > 1000000000)')
    WHEN backoff ->> 'kind' IN ('none', 'fixed', 'exponential') THEN
        NOT jsonb_path_exists(backoff, '$.keyvalue() ? (@.key != "kind").value ? (@.type() != "number" || @ < 0 || @ > 1000000000)')
        AND NOT jsonb_path_exists(backoff, '$ ? (@.jitter > 1 || @.factor > 1000)')
    ELSE false
END;
