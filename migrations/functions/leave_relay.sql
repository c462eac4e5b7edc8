-- A relay's farewell: its lease is free at once, and those who wait for it are woken.
--
--   SELECT leave_relay('relay-1', 1);

CREATE FUNCTION leave_relay(relay_id text, term bigint DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM relays r WHERE r.relay_id = leave_relay.relay_id;
    UPDATE relay_lease l SET expires_at = '-infinity'
    WHERE l.holder = leave_relay.relay_id AND l.term = leave_relay.term;
    IF FOUND THEN
        PERFORM pg_notify('annals_relay', '');
        RETURN true;
    END IF;
    RETURN false;
END $$;
