-- The upper 16 bits of the append fence's advisory lock keys ('AN' in ASCII).
--
-- Other advisory locks of an application in the same database must not start with it.
--
--   SELECT fence_tag();

CREATE FUNCTION fence_tag() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT 16718::bigint $$;
