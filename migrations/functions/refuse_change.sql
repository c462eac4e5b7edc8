-- The log is append-only: UPDATE, DELETE and TRUNCATE of events are refused, whoever asks.
--
-- ENABLE ALWAYS, so that session_replication_role = replica does not switch the guard off.
--
--   DELETE FROM events;   -- ERROR:  events are append-only, DELETE is refused

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events are append-only, % is refused', TG_OP
        USING ERRCODE = 'AN409', HINT = 'Append a new event that corrects the old one.';
END $$;

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE events ENABLE ALWAYS TRIGGER refuse_change;
