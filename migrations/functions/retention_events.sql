-- Events after one position and up to another that can be the last to have changed a row of one kind, in order.
--
-- The log is read by position, so that no read model needs an index on what it last changed at. "events" is
-- unqualified: the fold of retention.applied asks for those of the shadow when it folds there.
--
--   SELECT * FROM retention_events('tasks', 0, 100, 10);

CREATE FUNCTION retention_events(what text, "after" bigint, until bigint, "limit" integer DEFAULT NULL)
RETURNS TABLE ("position" bigint, stream_id text, version integer, type text, attempt integer)
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    _kind record;
BEGIN
    SELECT w.stream_type, w.last_events INTO _kind FROM retention_whats() w WHERE w.what = retention_events.what;
    RETURN QUERY
        SELECT e.position, e.stream_id, e.version, e.type, (e.data ->> 'attempt')::integer
        FROM events e
        WHERE e.position > retention_events."after" AND e.position <= retention_events.until
          AND e.stream_type = _kind.stream_type AND e.type = ANY (_kind.last_events)
        ORDER BY e.position
        LIMIT retention_events."limit";
END $$;
