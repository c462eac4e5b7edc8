-- A relay's sign of life, and its claim to lead: renews the lease it has, or takes one that ran out.
--
-- term is what the last call gave (NULL at first, and while another leads): a process that was paused, or one
-- that another was started in place of under the same name, does not renew what is not its own. Answers the
-- term when this relay leads, else NULL, and after how many seconds it is worth to ask again.
--
--   SELECT * FROM lead_relay('relay-1', 'my-host', 1, NULL, 3);

CREATE FUNCTION lead_relay(
    relay_id      text,
    host          text,
    pid           integer,
    term          bigint  DEFAULT NULL,
    lease_seconds real    DEFAULT 3,
    code_version  text    DEFAULT NULL,
    now           timestamptz DEFAULT NULL,
    loop_lag_seconds real DEFAULT 0
) RETURNS TABLE (leads_term bigint, holder text, free_in_seconds double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _now   timestamptz := coalesce(lead_relay.now, clock_timestamp());
    _lease interval := make_interval(secs => lead_relay.lease_seconds);
    _row   relay_lease;
    _leads boolean;
BEGIN
    IF num_nulls(lead_relay.relay_id, lead_relay.host, lead_relay.pid, lead_relay.lease_seconds) > 0
       OR lead_relay.relay_id !~ '^[A-Za-z0-9_.:-]{1,100}$' OR NOT lead_relay.lease_seconds BETWEEN 0.1 AND 3600 THEN
        RAISE EXCEPTION 'a relay needs an id, a host, a pid and a lease of 0.1 to 3600 seconds'
            USING ERRCODE = 'AN422', HINT = 'An id is 1 to 100 letters, digits, or _ . : -';
    END IF;
    INSERT INTO relays AS r (relay_id, host, pid, code_version, started_at, seen_at, loop_lag_seconds)
    VALUES (lead_relay.relay_id, lead_relay.host, lead_relay.pid, lead_relay.code_version, _now, _now,
            coalesce(lead_relay.loop_lag_seconds, 0))
    ON CONFLICT ON CONSTRAINT relays_pkey DO UPDATE
        SET seen_at = excluded.seen_at, loop_lag_seconds = excluded.loop_lag_seconds, host = excluded.host, pid = excluded.pid, code_version = excluded.code_version,
            started_at = CASE WHEN (r.host, r.pid) = (excluded.host, excluded.pid) THEN r.started_at ELSE excluded.started_at END;
    UPDATE relay_lease l SET expires_at = _now + _lease
    WHERE l.holder = lead_relay.relay_id AND l.term = lead_relay.term AND l.expires_at > _now;
    _leads := FOUND;
    IF NOT _leads THEN
        -- Waits for effects of the one before that are on their way; the second of two that wait finds it taken.
        PERFORM FROM relay_lease l WHERE l.expires_at <= _now FOR UPDATE;
        _leads := FOUND;
        IF _leads THEN
            _now := coalesce(lead_relay.now, clock_timestamp());
            UPDATE relay_lease l SET holder = lead_relay.relay_id, term = l.term + 1, taken_at = _now, expires_at = _now + _lease;
            DELETE FROM relays r WHERE r.seen_at < _now - interval '1 hour';
        END IF;
    END IF;
    SELECT * INTO _row FROM relay_lease;
    RETURN QUERY SELECT CASE WHEN _leads THEN _row.term END, _row.holder,
                        greatest(extract(epoch FROM _row.expires_at - _now), 0)::double precision;
END $$;
