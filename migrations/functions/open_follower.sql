-- The checkpoint of a follower; a new one begins after position start.
--
--   SELECT * FROM open_follower('mail', 0);

CREATE FUNCTION open_follower(name text, start bigint DEFAULT 0)
RETURNS TABLE ("position" bigint, quiet_until bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF open_follower.name IS NULL OR open_follower.name !~ '^[A-Za-z0-9_.:-]{1,100}$' OR open_follower.start < 0 THEN
        RAISE EXCEPTION 'not a follower: % from %', open_follower.name, open_follower.start
            USING ERRCODE = 'AN422', HINT = 'A name is 1 to 100 letters, digits, or _ . : -; a position is not negative.';
    END IF;
    INSERT INTO followers (name, position) VALUES (open_follower.name, coalesce(open_follower.start, 0))
    ON CONFLICT ON CONSTRAINT followers_pkey DO NOTHING;
    RETURN QUERY SELECT f.position, f.quiet_until FROM followers f WHERE f.name = open_follower.name;
END $$;
