-- Locks the heads of the streams that drafts will be appended to, in one fixed order, and tells their versions.
--
-- The law of writing: every row that an event reads or changes is locked before the first insert into
-- events, table by table in the order below and by key within a table. A write function that also
-- locks rows of its own calls this first, then append_events. Keys are looked up as arrays, heads one by one: joined, a
-- generic plan scans all tasks for each event that is none of a task, and PostgreSQL 15 all heads.
--
--   SELECT * FROM lock_streams(ARRAY[('queue', 'default', 'queue.paused', '{}', NULL, NULL, NULL, NULL)]::event_draft[]);

CREATE FUNCTION lock_streams(drafts event_draft[]) RETURNS TABLE (stream_type text, stream_id text, version integer)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT 'task', t.task_id, t.version FROM background_tasks t
        WHERE t.task_id = ANY (ARRAY(SELECT d.stream_id FROM unnest(lock_streams.drafts) d WHERE d.stream_type = 'task'))
        ORDER BY t.task_id FOR UPDATE;
    RETURN QUERY
        SELECT 'agent', a.agent_id::text, a.version FROM agents a
        WHERE a.agent_id = ANY (ARRAY(SELECT d.stream_id::uuid FROM unnest(lock_streams.drafts) d WHERE d.stream_type = 'agent'))
        ORDER BY a.agent_id FOR UPDATE;
    INSERT INTO stream_heads (stream_type, stream_id, version)
        SELECT DISTINCT d.stream_type, d.stream_id, 0 FROM unnest(lock_streams.drafts) d
        WHERE d.stream_type <> ALL (headed_stream_types())
        ORDER BY d.stream_type, d.stream_id
    ON CONFLICT DO NOTHING;
    RETURN QUERY
        SELECT h.stream_type, h.stream_id, h.version
        FROM (SELECT DISTINCT d.stream_type, d.stream_id FROM unnest(lock_streams.drafts) d
              WHERE d.stream_type <> ALL (headed_stream_types())
              ORDER BY d.stream_type, d.stream_id) k
        CROSS JOIN LATERAL (SELECT x.* FROM stream_heads x
                            WHERE x.stream_type = k.stream_type AND x.stream_id = k.stream_id FOR UPDATE) h;
END $$;
