-- Whether the statement whose events are being folded appended to streams of this type; for the folds alone.
--
-- A comma in the name of another stream type may make it true; its fold then finds no event of its own.
--
--   SELECT appended_to('queue');

CREATE FUNCTION appended_to(stream_type text) RETURNS boolean
LANGUAGE sql STABLE
RETURN strpos(current_setting('annals.streams', true), ',' || appended_to.stream_type || ',') > 0;
