-- Notes of which streams and types one statement's events are, so that the folds it does not concern end at once.
--
-- Trigger functions run in the order of their triggers' names: this one comes before every project_<read model>,
-- and its notes are made anew for each statement, so none of them can see another's, nor what a session has set.
-- Reading a note costs a tenth of looking at the appended events, which each of a dozen folds did by itself.
-- annals.streams is ',task,agent,' (appended_to looks into it); annals.types an array, for project_tasks.
--
--   SELECT current_setting('annals.streams', true), current_setting('annals.types', true);

CREATE FUNCTION note_streams() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    _streams text;
    _types   text[];
    _noted   text;
BEGIN
    SELECT string_agg(x.stream_type, ','), array_agg(x.type) INTO _streams, _types
    FROM (SELECT DISTINCT a.stream_type, a.type FROM appended a) x;
    -- Assigned: PERFORM would start an executor for each.
    _noted := set_config('annals.streams', concat(',', _streams, ','), true);
    _noted := set_config('annals.types', coalesce(_types, '{}')::text, true);
    RETURN NULL;
END $$;

CREATE TRIGGER note_streams AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT EXECUTE FUNCTION note_streams();
ALTER TABLE events ENABLE ALWAYS TRIGGER note_streams;
