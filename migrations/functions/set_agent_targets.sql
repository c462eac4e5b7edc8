-- Sets how many documents each node of an agent's scope needs; nodes that are left out need the default.
--
-- Replaces all earlier targets. Answers NULL when they were the same already.
--
--   SELECT set_agent_targets('5f3c0c5e-0000-4000-8000-000000000000', '{"6ba7b810-9dad-11d1-80b4-00c04fd430c8": 20}');

CREATE FUNCTION set_agent_targets(
    agent_id       uuid,
    targets        jsonb,
    actor          text        DEFAULT default_actor(),
    correlation_id text        DEFAULT NULL,
    trace          text        DEFAULT NULL,
    ring           boolean     DEFAULT true,
    at             timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _agent    agents := require_agent(set_agent_targets.agent_id);
    _bad      text;
    _position bigint;
BEGIN
    IF jsonb_typeof(set_agent_targets.targets) IS DISTINCT FROM 'object' THEN
        RAISE EXCEPTION 'targets are a JSON object of node ids and document counts' USING ERRCODE = 'AN422';
    END IF;
    SELECT string_agg(t.key, ', ' ORDER BY t.key) INTO _bad FROM jsonb_each(set_agent_targets.targets) t
    WHERE NOT (jsonb_typeof(t.value) = 'number' AND t.value::text ~ '^[1-9][0-9]{0,6}$');
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION 'targets are whole numbers from 1 to 9999999; not so for: %', _bad USING ERRCODE = 'AN422';
    END IF;
    SELECT string_agg(t.key, ', ' ORDER BY t.key) INTO _bad FROM jsonb_object_keys(set_agent_targets.targets) AS t (key)
    WHERE t.key NOT IN (SELECT s.node_id::text FROM agent_scope(_agent.taxonomy_node_ids, _agent.taxonomy_version) s);
    IF _bad IS NOT NULL THEN
        RAISE EXCEPTION 'Invalid taxonomy node IDs: %', _bad USING ERRCODE = 'AN422',
            HINT = 'Name nodes in the scope of the agent, in lower case.';
    END IF;
    IF _agent.targets = set_agent_targets.targets THEN
        RETURN NULL;
    END IF;
    SELECT a.position INTO _position FROM append_events(ARRAY[ROW(
        'agent', set_agent_targets.agent_id::text, 'agent.targets_set', jsonb_build_object('targets', set_agent_targets.targets),
        set_agent_targets.correlation_id, NULL, set_agent_targets.trace, NULL)::event_draft],
        set_agent_targets.actor, set_agent_targets.at) a;
    IF set_agent_targets.ring THEN
        PERFORM pg_notify('annals_events', '');
    END IF;
    RETURN _position;
END $$;
