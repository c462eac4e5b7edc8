-- Levels a taxonomy may have: what can be sent as a tree by everybody's JSON.
--
--   SELECT max_taxonomy_depth();

CREATE FUNCTION max_taxonomy_depth() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 100;
