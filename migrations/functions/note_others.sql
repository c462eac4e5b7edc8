-- Notes to which streams a statement appends beside those of tasks, so that no fold looks for what is not there.
--
-- Whether a fold's trigger fires is decided by its WHEN, after the last row and before the first fold. A dozen
-- folds that each look for events of their own cost an enqueue of one task a fifth of its time; conditions that
-- were longer would cost as much, for each statement parses them anew. Those that fire all ask appended_to first.
-- The note is made by the very row that needs it, so nothing a session has set can take it away; that
-- fence_append takes it back before the next statement only spares calls. The shadow's triggers have no WHEN.
--
--   SELECT current_setting('annals.others', true);   -- ',agent,,queue,' after events of both

CREATE FUNCTION note_others() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _noted text;
BEGIN
    IF appended_to(NEW.stream_type) IS NOT TRUE THEN
        -- Assigned: PERFORM would start an executor.
        _noted := set_config('annals.others', concat(current_setting('annals.others', true), ',', NEW.stream_type, ','), true);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER note_others BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.stream_type <> 'task') EXECUTE FUNCTION note_others();
ALTER TABLE events ENABLE ALWAYS TRIGGER note_others;
