-- Folds coverage.measured into coverage_history; an agent's history goes with the agent.
--
-- Of the agent streams' types it uses these two and ignores the rest, which project_agents lists.
--
--   SELECT timestamp, overall_coverage FROM coverage_history ORDER BY timestamp DESC LIMIT 10;

CREATE FUNCTION project_coverage() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('agent') THEN
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT FROM appended a WHERE a.type IN ('coverage.measured', 'agent.deleted')) THEN
        RETURN NULL;
    END IF;
    INSERT INTO coverage_history (history_id, agent_id, timestamp, overall_coverage, total_documents, total_chunks, version)
    SELECT e.position, e.stream_id::uuid, d.measured_at, d.overall_coverage, d.total_documents, d.total_chunks, d.version
    FROM appended e
    CROSS JOIN LATERAL jsonb_to_record(e.data) AS d (
        measured_at timestamptz, overall_coverage numeric, total_documents integer, total_chunks integer, version text)
    WHERE e.type = 'coverage.measured';
    IF EXISTS (SELECT FROM appended a WHERE a.type = 'agent.deleted') THEN
        DELETE FROM coverage_history h USING appended e
        WHERE e.type = 'agent.deleted' AND h.agent_id = e.stream_id::uuid AND h.history_id < e.position;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER project_coverage AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_coverage();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_coverage;
