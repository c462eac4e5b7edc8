-- Priority class of a priority: 1 high (1-3), 2 medium (4-7), 3 low (8-10).
--
--   SELECT priority_class(5::smallint);

CREATE FUNCTION priority_class(priority smallint) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN priority <= 3 THEN 1 WHEN priority <= 7 THEN 2 ELSE 3 END::smallint;
