-- A number with its noun: counted(1, 'worker', 'workers') is '1 worker'.
--
--   SELECT counted(2, 'task is', 'tasks are');

CREATE FUNCTION counted(n bigint, one text, many text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN n || ' ' || CASE n WHEN 1 THEN one ELSE many END;
