-- Folds events of agent streams into agents.
--
-- Rounds by version when one statement holds several events of an agent, as in project_tasks. A type that
-- is not listed stops the append: teach it here, or name it as ignored. Every event moves the version,
-- because the row is the head of the agent's stream.
--
--   SELECT agent_id, version, coverage_percent, total_queries FROM agents;

CREATE FUNCTION project_agents() RETURNS trigger
LANGUAGE plpgsql
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
DECLARE
    _types  text[];
    _known  constant text[] := ARRAY['agent.created', 'agent.updated', 'agent.targets_set', 'agent.queried', 'agent.deleted',
                                     'coverage.measured'];
    _rounds bigint;
    _round  bigint[];
BEGIN
    IF TG_TABLE_SCHEMA = 'public' AND NOT appended_to('agent') THEN
        RETURN NULL;
    END IF;
    _types := ARRAY(SELECT DISTINCT a.type FROM appended a WHERE a.stream_type = 'agent');
    IF _types = '{}' THEN
        RETURN NULL;
    END IF;
    IF NOT _types <@ _known THEN
        RAISE EXCEPTION 'project_agents was not taught the event types %', ARRAY(SELECT t FROM unnest(_types) t WHERE t <> ALL (_known))
            USING ERRCODE = 'AN422', HINT = 'Teach them to functions/project_agents.sql, or list them there as ignored.';
    END IF;
    SELECT max(r.n) INTO _rounds
    FROM (SELECT count(*) AS n FROM appended a WHERE a.stream_type = 'agent' GROUP BY a.stream_id) r;
    FOR _r IN 1 .. _rounds LOOP
        _round := ARRAY(SELECT r.position
                        FROM (SELECT a.position, row_number() OVER (PARTITION BY a.stream_id ORDER BY a.version) AS rank
                              FROM appended a WHERE a.stream_type = 'agent') r
                        WHERE r.rank = _r);

        INSERT INTO agents (
            agent_id, created_position, created_at, taxonomy_version, taxonomy_node_ids, name, scope_description, retrieval_config,
            features_config, updated_at, version, total_documents, total_chunks, coverage_percent, last_coverage_update)
        SELECT e.stream_id::uuid, e.position, e.recorded_at, d.taxonomy_version, d.taxonomy_node_ids, d.name, d.scope_description,
               d.retrieval_config, d.features_config, e.recorded_at, e.version, coalesce(c.total_documents, 0),
               coalesce(c.total_chunks, 0), coalesce(c.overall_coverage, 0), c.measured_at
        FROM appended e
        CROSS JOIN LATERAL jsonb_to_record(e.data) AS d (
            taxonomy_version text, taxonomy_node_ids uuid[], name text, scope_description text, retrieval_config jsonb,
            features_config jsonb, coverage jsonb)
        CROSS JOIN LATERAL jsonb_to_record(coalesce(d.coverage, '{}')) AS c (
            total_documents integer, total_chunks integer, overall_coverage numeric, measured_at timestamptz)
        WHERE e.type = 'agent.created' AND e.position = ANY (_round);

        UPDATE agents a
        SET version = e.version, updated_at = e.recorded_at,
            name = coalesce(e.data ->> 'name', a.name),
            scope_description = CASE WHEN e.data ? 'scope_description' THEN e.data ->> 'scope_description' ELSE a.scope_description END,
            retrieval_config = coalesce(e.data -> 'retrieval_config', a.retrieval_config),
            features_config = coalesce(e.data -> 'features_config', a.features_config),
            targets = CASE e.type WHEN 'agent.targets_set' THEN e.data -> 'targets' ELSE a.targets END
        FROM appended e
        WHERE e.type IN ('agent.updated', 'agent.targets_set') AND e.position = ANY (_round) AND a.agent_id = e.stream_id::uuid;

        UPDATE agents a
        SET version = e.version, total_queries = a.total_queries + 1, last_query_at = e.recorded_at,
            successful_queries = a.successful_queries + ((e.data ->> 'results')::integer > 0)::integer,
            avg_response_time_ms = (coalesce(a.avg_response_time_ms, 0) * a.total_queries + (e.data ->> 'latency_ms')::float8)
                                   / (a.total_queries + 1)
        FROM appended e
        WHERE e.type = 'agent.queried' AND e.position = ANY (_round) AND a.agent_id = e.stream_id::uuid;

        -- A measurement that was overtaken by a later one is history, but not the latest.
        UPDATE agents a
        SET version = e.version,
            total_documents = CASE WHEN m.latest THEN (e.data ->> 'total_documents')::integer ELSE a.total_documents END,
            total_chunks = CASE WHEN m.latest THEN (e.data ->> 'total_chunks')::integer ELSE a.total_chunks END,
            coverage_percent = CASE WHEN m.latest THEN (e.data ->> 'overall_coverage')::numeric ELSE a.coverage_percent END,
            last_coverage_update = greatest(a.last_coverage_update, (e.data ->> 'measured_at')::timestamptz)
        FROM appended e
        CROSS JOIN LATERAL (
            SELECT (e.data ->> 'measured_at')::timestamptz >= coalesce(b.last_coverage_update, '-infinity') AS latest
            FROM agents b WHERE b.agent_id = e.stream_id::uuid) m
        WHERE e.type = 'coverage.measured' AND e.position = ANY (_round) AND a.agent_id = e.stream_id::uuid;

        DELETE FROM agents a USING appended e
        WHERE e.type = 'agent.deleted' AND e.position = ANY (_round) AND a.agent_id = e.stream_id::uuid;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER project_agents AFTER INSERT ON events REFERENCING NEW TABLE AS appended
    FOR EACH STATEMENT WHEN (current_setting('annals.others', true) <> '') EXECUTE FUNCTION project_agents();
ALTER TABLE events ENABLE ALWAYS TRIGGER project_agents;
