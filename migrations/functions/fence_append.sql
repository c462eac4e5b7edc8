-- The append fence: lets readers know which positions are settled, without making writers wait.
--
-- Positions are drawn before commit, so a reader that remembers "the last one I saw" steps over an
-- event that commits late. Before its first position each transaction takes a shared advisory lock
-- whose key carries the sequence's value at that moment: a lower bound of every position the
-- transaction will draw. stable_position() reads the lowest such key. The trigger runs before the
-- column default draws, for VALUES, INSERT ... SELECT and COPY alike.
--
-- "Once per transaction" is remembered as the transaction's own id: a session-level SET cannot
-- disable the fence, and a savepoint's rollback takes back lock and setting together. The sequence
-- is read by pg_sequence_last_value, which takes the page lock; SELECT last_value does not, and
-- sees up to 32 positions ahead.
--
--   SELECT classid::bigint >> 16 AS tag, objid, pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock';

CREATE FUNCTION fence_append() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _transaction text := pg_current_xact_id()::text;
    _taken       boolean;
    _noted       text;
BEGIN
    IF current_setting('annals.fence', true) IS DISTINCT FROM _transaction THEN
        -- Assigned: PERFORM would start an executor for each.
        _taken := pg_advisory_xact_lock_shared(
            fence_tag() << 48 | coalesce(pg_sequence_last_value('public.events_position'), 0)) IS NOT NULL;
        _noted := set_config('annals.fence', _transaction, true);
    END IF;
    -- Not the fence's: what note_others noted of the statement before.
    _noted := set_config('annals.others', '', true);
    RETURN NULL;
END $$;

CREATE TRIGGER fence_append BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION fence_append();
ALTER TABLE events ENABLE ALWAYS TRIGGER fence_append;
