-- The last settled position that was recorded at or before a time; 0 when there is none.
--
-- Times follow positions as far as clocks allow: transactions that append side by side may cross by their
-- own duration, and a clock may be set back. So the place is found by halving, and then the events around
-- it are looked at one by one. A time to come is now.
--
--   SELECT position_at(now() - interval '1 hour');

CREATE FUNCTION position_at("at" timestamptz) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    _around  constant integer := 2000;
    _settled constant bigint  := stable_position();
    _low     bigint := 0;         -- recorded in time, or before the log
    _high    bigint := _settled;  -- nothing above it is asked for
    _event   record;
BEGIN
    IF position_at."at" IS NULL THEN
        RAISE EXCEPTION 'the time is missing' USING ERRCODE = 'AN422', HINT = 'SELECT position_at(''2026-01-31 12:00Z'');';
    END IF;
    WHILE _low < _high LOOP
        SELECT e.position, e.recorded_at INTO _event
        FROM events e WHERE e.position > (_low + _high) / 2 AND e.position <= _high ORDER BY e.position LIMIT 1;
        IF _event.position IS NULL OR _event.recorded_at > position_at."at" THEN
            _high := (_low + _high) / 2;
        ELSE
            _low := _event.position;
        END IF;
    END LOOP;
    RETURN coalesce((SELECT max(e.position) FROM events e
                     WHERE e.position BETWEEN _low - _around AND least(_low + _around, _settled)
                       AND e.recorded_at <= position_at."at"), 0);
END $$;
