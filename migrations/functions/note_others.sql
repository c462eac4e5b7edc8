-- Notes that a statement appends to other streams than tasks', so that their folds are not called for nothing.
--
-- Whether a fold's trigger fires is decided by its WHEN, after the last row and before the first fold. A dozen
-- folds that each look for events of their own cost an enqueue of one task a fifth of its time; conditions that
-- are longer than these cost as much, for they are parsed anew by each statement. The note is made by the very
-- row that needs it, so nothing a session has set can take it away; that fence_append takes it back before the
-- next statement only spares calls. The shadow's triggers have no WHEN.
--
--   SELECT current_setting('annals.others', true);

CREATE FUNCTION note_others() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _noted text;
BEGIN
    -- Assigned: PERFORM would start an executor.
    _noted := set_config('annals.others', 'yes', true);
    RETURN NEW;
END $$;

CREATE TRIGGER note_others BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.stream_type <> 'task') EXECUTE FUNCTION note_others();
ALTER TABLE events ENABLE ALWAYS TRIGGER note_others;
