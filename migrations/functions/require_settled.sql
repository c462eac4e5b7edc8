-- Refuses a position at which the past may still change; gives it back otherwise.
--
-- A look at the past calls this first, in a statement of its own: the statement after it has a newer
-- snapshot, and so sees every event up to the position. In a REPEATABLE READ transaction there is no newer
-- snapshot, so that is refused.
--
--   SELECT require_settled(1);

CREATE FUNCTION require_settled("position" bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    _settled bigint := stable_position();
    _last    bigint := coalesce(pg_sequence_last_value('events_position'), 0);
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'the past is read in READ COMMITTED, this transaction is %', current_setting('transaction_isolation')
            USING ERRCODE = 'AN409', HINT = 'Call it outside a REPEATABLE READ or SERIALIZABLE transaction.';
    ELSIF require_settled."position" IS NULL OR require_settled."position" < 0 OR require_settled."position" > _last THEN
        RAISE EXCEPTION 'the log has no position %', coalesce(require_settled."position"::text, 'NULL')
            USING ERRCODE = 'AN422', HINT = format('Positions go from 0, before everything, to %s.', _last);
    ELSIF require_settled."position" > _settled THEN
        RAISE EXCEPTION 'position % is not settled: a transaction that appends at or below it is still open', require_settled."position"
            USING ERRCODE = 'AN409', HINT = format('Ask again, or ask for position %s.', _settled);
    END IF;
    RETURN require_settled."position";
END $$;
