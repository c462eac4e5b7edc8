-- Who acts when nobody says so: the role at the psql prompt.
--
--   SELECT default_actor();

CREATE FUNCTION default_actor() RETURNS text
LANGUAGE sql STABLE
RETURN 'psql:' || session_user;
