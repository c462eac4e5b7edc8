-- Notes that a follower failed, for whoever looks; its checkpoint stays.
--
--   SELECT fail_follower('mail', 'no route to host');

CREATE FUNCTION fail_follower(name text, error text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    UPDATE followers f SET failures = f.failures + 1, failed_at = clock_timestamp(), error = left(fail_follower.error, 2000)
    WHERE f.name = fail_follower.name
$$;
