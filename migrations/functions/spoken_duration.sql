-- Seconds as people say them: 300 is '5 minutes', 1 is '1 second', 1.5 is '1.5 seconds'.
--
--   SELECT spoken_duration(300);

CREATE FUNCTION spoken_duration(seconds real) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN seconds = 60 THEN '1 minute'
    WHEN seconds >= 60 AND seconds::numeric % 60 = 0 THEN (seconds::numeric / 60)::integer || ' minutes'
    WHEN seconds = 1 THEN '1 second'
    ELSE trim_scale(seconds::numeric) || ' seconds'
END;
