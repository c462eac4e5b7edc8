-- Seconds to wait after the n-th failure, by a task's backoff policy; NULL when the policy is not valid.
--
-- {"kind": "none"}, {"kind": "fixed", "seconds": 30}, {"kind": "list", "seconds": [2, 4]} (the last one
-- repeats), {"kind": "exponential", "seconds": 1, "factor": 2, "max_seconds": 3600, "jitter": 0.1}: the
-- values shown are the defaults. chance is a random number in [0, 1), an argument so that it can be pinned.
--
--   SELECT backoff_delay('{"kind": "exponential"}', 3, 0.5);

CREATE FUNCTION backoff_delay(backoff jsonb, failures integer, chance double precision DEFAULT random())
RETURNS double precision
LANGUAGE sql VOLATILE
RETURN CASE backoff ->> 'kind'
    WHEN 'none' THEN 0
    WHEN 'fixed' THEN coalesce((backoff ->> 'seconds')::float8, 30)
    WHEN 'list' THEN (backoff -> 'seconds' ->> least(failures, jsonb_array_length(backoff -> 'seconds')) - 1)::float8
    WHEN 'exponential' THEN
        least(coalesce((backoff ->> 'max_seconds')::float8, 3600),
              coalesce((backoff ->> 'seconds')::float8, 1)
              * power(coalesce((backoff ->> 'factor')::float8, 2), least(failures, 64) - 1))
        * (1 + coalesce((backoff ->> 'jitter')::float8, 0.1) * (2 * chance - 1))
END;
