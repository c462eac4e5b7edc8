-- Refuses a stretch of the log whose end may still change, or lies before its beginning.
--
-- What compares two moments calls it first, in a statement of its own, as require_settled wants it.
--
--   SELECT require_stretch(0, 1);

CREATE FUNCTION require_stretch(earlier bigint, later bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM require_settled(require_stretch.earlier);
    PERFORM require_settled(require_stretch.later);
    IF require_stretch.earlier > require_stretch.later THEN
        RAISE EXCEPTION 'position % lies after position %', require_stretch.earlier, require_stretch.later
            USING ERRCODE = 'AN422', HINT = 'The earlier of the two comes first.';
    END IF;
END $$;
