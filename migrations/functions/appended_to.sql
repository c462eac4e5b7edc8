-- Whether the statement whose events are being folded appended to streams of this type, as note_others noted.
--
-- For the folds of the real log alone: whoever inserts into the shadow's notes nothing. A stream type with commas
-- in its name may make it true; the fold then finds no event of its own.
--
--   SELECT appended_to('queue');

CREATE FUNCTION appended_to(stream_type text) RETURNS boolean
LANGUAGE sql STABLE
RETURN strpos(current_setting('annals.others', true), ',' || appended_to.stream_type || ',') > 0;
