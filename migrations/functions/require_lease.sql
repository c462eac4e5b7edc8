-- Refuses a relay that does not lead, and keeps a take-over waiting until this transaction ends.
--
-- Called before anything else by every function with an effect of the relay: a process that was paused and
-- wakes up with an old term gets AN410 (relay_lease tells who leads), and nothing is done twice.
--
--   SELECT require_lease('relay-1', 1); -- ERROR: relay relay-1 does not lead

CREATE FUNCTION require_lease(relay_id text, term bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- A process that is paused in the middle of a transaction must not keep the next leader waiting.
    PERFORM set_config('idle_in_transaction_session_timeout', '3s', true);
    PERFORM FROM relay_lease l
    WHERE l.holder = require_lease.relay_id AND l.term = require_lease.term AND l.expires_at > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'relay % does not lead in term %', require_lease.relay_id, require_lease.term
            USING ERRCODE = 'AN410', HINT = 'Another took over, or the lease ran out: SELECT * FROM relay_lease.';
    END IF;
END $$;
