-- Which group a failure belongs to: a short id of task type, error type, message pattern and top own frame.
--
-- The idea is that of error trackers (Sentry's grouping by type, in-app frame and parametrised message): what
-- people mean by "the same error" is the same kind of error in the same function of their own, whatever the
-- number of the order was. The id is 'e1-' and 12 hexadecimal digits of a SHA-256.
--
-- 'e1' is the version of the algorithm. It is kept in rows, links and dashboards, and read again from events
-- that are years old, so it may only change together with error_pattern and error_frame, under a new version,
-- in a release whose migration rebuilds task_attempts. tests/sql/fingerprints.json freezes the ids of this one.
--
--   SELECT error_fingerprint('charge', 'SupplierDown', 'no answer after 31 s', NULL);

CREATE FUNCTION error_fingerprint(task_type text, error_type text, error_message text, error_traceback text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    RETURN 'e1-' || left(encode(sha256(convert_to(jsonb_build_array(
        error_fingerprint.task_type, coalesce(error_fingerprint.error_type, ''),
        coalesce(error_pattern(error_fingerprint.error_message), ''),
        coalesce(error_frame(error_fingerprint.error_traceback), ''))::text, 'UTF8')), 'hex'), 12);
END $$;
