-- Creates an agent for a part of a taxonomy, with the coverage that was measured for it just before, if any.
--
-- coverage: {overall_coverage, total_documents, total_chunks, measured_at, ...} as in coverage.measured;
-- it is the agent's first state, not an entry of its history.
--
--   SELECT * FROM create_agent('Testing', ARRAY(SELECT node_id FROM taxonomy_nodes WHERE label = 'Testing'), '1.0.0');

CREATE FUNCTION create_agent(
    name              text,
    taxonomy_node_ids uuid[],
    taxonomy_version  text        DEFAULT '1.0.0',
    scope_description text        DEFAULT NULL,
    retrieval_config  jsonb       DEFAULT '{"top_k": 5, "strategy": "hybrid"}',
    features_config   jsonb       DEFAULT '{}',
    coverage          jsonb       DEFAULT NULL,
    actor             text        DEFAULT default_actor(),
    correlation_id    text        DEFAULT NULL,
    trace             text        DEFAULT NULL,
    request           request_key DEFAULT NULL,
    ring              boolean     DEFAULT true,
    at                timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (agent_id uuid, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _answer  jsonb := replay_request(create_agent.request);
    _id      uuid  := gen_random_uuid();
    _unknown text;
BEGIN
    IF _answer IS NULL THEN
        IF create_agent.name IS NULL OR length(create_agent.name) NOT BETWEEN 1 AND 255 THEN
            RAISE EXCEPTION 'the name of an agent is 1 to 255 characters' USING ERRCODE = 'AN422';
        ELSIF length(create_agent.scope_description) > 500 THEN
            RAISE EXCEPTION 'a scope_description is at most 500 characters' USING ERRCODE = 'AN422';
        ELSIF jsonb_typeof(create_agent.retrieval_config) IS DISTINCT FROM 'object'
              OR jsonb_typeof(create_agent.features_config) IS DISTINCT FROM 'object' THEN
            RAISE EXCEPTION 'retrieval_config and features_config are JSON objects' USING ERRCODE = 'AN422';
        ELSIF coalesce(create_agent.taxonomy_node_ids, '{}') = '{}' THEN
            RAISE EXCEPTION 'an agent covers at least one taxonomy node' USING ERRCODE = 'AN422';
        END IF;
        SELECT string_agg(coalesce(g.node_id::text, 'null'), ', ' ORDER BY g.ordinality) INTO _unknown
        FROM unnest(create_agent.taxonomy_node_ids) WITH ORDINALITY AS g (node_id, ordinality)
        WHERE NOT EXISTS (SELECT FROM taxonomy_nodes n
                          WHERE n.taxonomy_version = create_agent.taxonomy_version AND n.node_id = g.node_id);
        IF _unknown IS NOT NULL THEN
            RAISE EXCEPTION 'Invalid taxonomy node IDs: %', _unknown USING ERRCODE = 'AN422',
                HINT = format('They are not in taxonomy version %s.', create_agent.taxonomy_version);
        END IF;
        SELECT jsonb_build_object('agent_id', _id, 'position', a.position) INTO _answer
        FROM append_events(ARRAY[ROW('agent', _id::text, 'agent.created', jsonb_strip_nulls(jsonb_build_object(
            'name', create_agent.name,
            'taxonomy_node_ids', (SELECT to_jsonb(array_agg(u.node_id ORDER BY u.place))
                                  FROM (SELECT g.node_id, min(g.ordinality) AS place
                                        FROM unnest(create_agent.taxonomy_node_ids) WITH ORDINALITY AS g (node_id, ordinality)
                                        GROUP BY g.node_id) u),
            'taxonomy_version', create_agent.taxonomy_version, 'scope_description', create_agent.scope_description,
            'coverage', create_agent.coverage)) || jsonb_build_object(
            'retrieval_config', create_agent.retrieval_config, 'features_config', create_agent.features_config),
            create_agent.correlation_id, NULL, create_agent.trace, NULL)::event_draft], create_agent.actor, create_agent.at) a;
        IF (create_agent.request).key IS NOT NULL THEN
            PERFORM keep_request(create_agent.request, _answer);
        END IF;
        IF create_agent.ring THEN
            PERFORM pg_notify('annals_events', '');
        END IF;
    END IF;
    RETURN QUERY SELECT (_answer ->> 'agent_id')::uuid, (_answer ->> 'position')::bigint;
END $$;
