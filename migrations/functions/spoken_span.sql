-- Seconds as people say a span of time, three digits at most: '3.2 ms', '41 s', '12 min', '2.5 h', '3 d'.
--
--   SELECT spoken_span(720);

CREATE FUNCTION spoken_span(seconds double precision) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
    SELECT trim_scale(round(x.n, greatest(0, 2 - floor(log(greatest(x.n, 1)))::integer))) || ' ' || x.unit
    FROM (SELECT least(greatest(spoken_span.seconds, 0), 1e12)::numeric / u.size AS n, u.unit
          FROM (VALUES ('d', 86400, 172800), ('h', 3600, 7200), ('min', 60, 120), ('s', 1, 1), ('ms', 0.001, 0))
               AS u (unit, size, above)
          WHERE greatest(spoken_span.seconds, 0) >= u.above
          ORDER BY u.above DESC
          LIMIT 1) x
$$;
