-- Appends drafts in their order: locks their streams' heads, gives each the next version of its stream.
--
-- The first event of a stream whose head is a read-model row of its own (task, agent) gets version 1,
-- because there is no row to lock yet; two who create the same stream meet at its primary key.
--
--   SELECT * FROM append_events(ARRAY[('queue', 'default', 'queue.paused', '{"reason": "deploy"}', NULL, NULL, NULL, NULL)]::event_draft[]);

CREATE FUNCTION append_events(
    drafts event_draft[],
    actor  text DEFAULT default_actor(),
    at     timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (ordinal integer, "position" bigint, version integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _too_big text;
BEGIN
    IF EXISTS (SELECT FROM unnest(append_events.drafts) d
               WHERE num_nulls(d.stream_type, d.stream_id, d.type) > 0 OR jsonb_typeof(d.data) <> 'object') THEN
        RAISE EXCEPTION 'an event needs stream_type, stream_id and type, and its data is an object' USING ERRCODE = 'AN422';
    END IF;
    SELECT d.type INTO _too_big FROM unnest(append_events.drafts) d
    WHERE pg_column_size(d.data) > max_event_bytes() LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the data of % is larger than % bytes', _too_big, max_event_bytes()
            USING ERRCODE = 'AN413', HINT = 'Store the payload elsewhere and append a reference to it.';
    END IF;
    -- A statement of its own: inside the INSERT the fence would already be held while waiting for a lock.
    PERFORM lock_streams(append_events.drafts);
    RETURN QUERY
        WITH heads AS MATERIALIZED (SELECT * FROM lock_streams(append_events.drafts)),
        numbered AS (
            SELECT d.*, d.ordinality::integer AS ordinal,
                   (coalesce((SELECT h.version FROM heads h WHERE h.stream_type = d.stream_type AND h.stream_id = d.stream_id), 0)
                    + row_number() OVER (PARTITION BY d.stream_type, d.stream_id ORDER BY d.ordinality))::integer AS version
            FROM unnest(append_events.drafts) WITH ORDINALITY d),
        inserted AS (
            INSERT INTO events (stream_type, stream_id, version, type, data, actor, correlation_id, causation_id, trace, recorded_at)
            SELECT n.stream_type, n.stream_id, n.version, n.type, coalesce(n.data, '{}'), append_events.actor,
                   n.correlation_id, n.causation_id, n.trace, append_events.at
            FROM numbered n ORDER BY n.ordinal
            RETURNING events.stream_type, events.stream_id, events.version, events.position)
        SELECT n.ordinal, i.position, n.version
        FROM numbered n JOIN inserted i USING (stream_type, stream_id, version)
        ORDER BY n.ordinal;
END $$;
