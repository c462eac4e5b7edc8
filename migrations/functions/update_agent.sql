-- Changes an agent's name, scope_description, retrieval_config or features_config; all else is immutable.
--
-- Only what really changes is appended; nothing at all when nothing does (the answer is then NULL).
--
--   SELECT update_agent('5f3c0c5e-0000-4000-8000-000000000000', '{"name": "Testing"}');

CREATE FUNCTION update_agent(
    agent_id       uuid,
    changes        jsonb,
    actor          text        DEFAULT default_actor(),
    correlation_id text        DEFAULT NULL,
    trace          text        DEFAULT NULL,
    ring           boolean     DEFAULT true,
    at             timestamptz DEFAULT clock_timestamp()
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _mutable  constant text[] := ARRAY['name', 'scope_description', 'retrieval_config', 'features_config'];
    _agent    agents := require_agent(update_agent.agent_id);
    _changed  jsonb;
    _position bigint;
BEGIN
    IF jsonb_typeof(update_agent.changes) IS DISTINCT FROM 'object' OR update_agent.changes - _mutable <> '{}' THEN
        RAISE EXCEPTION 'of an agent only these can be changed: %', array_to_string(_mutable, ', ') USING ERRCODE = 'AN422',
            HINT = 'Targets have their own function, set_agent_targets; for another scope create another agent.';
    ELSIF update_agent.changes ? 'name' AND (jsonb_typeof(update_agent.changes -> 'name') <> 'string'
          OR length(update_agent.changes ->> 'name') NOT BETWEEN 1 AND 255) THEN
        RAISE EXCEPTION 'the name of an agent is 1 to 255 characters' USING ERRCODE = 'AN422';
    ELSIF jsonb_typeof(update_agent.changes -> 'scope_description') NOT IN ('string', 'null')
          OR length(update_agent.changes ->> 'scope_description') > 500 THEN
        RAISE EXCEPTION 'a scope_description is at most 500 characters' USING ERRCODE = 'AN422';
    ELSIF jsonb_typeof(update_agent.changes -> 'retrieval_config') <> 'object'
          OR jsonb_typeof(update_agent.changes -> 'features_config') <> 'object' THEN
        RAISE EXCEPTION 'retrieval_config and features_config are JSON objects' USING ERRCODE = 'AN422';
    END IF;
    SELECT coalesce(jsonb_object_agg(c.key, c.value), '{}') INTO _changed
    FROM jsonb_each(update_agent.changes) c
    WHERE c.value IS DISTINCT FROM to_jsonb(_agent) -> c.key;
    IF _changed = '{}' THEN
        RETURN NULL;
    END IF;
    SELECT a.position INTO _position FROM append_events(ARRAY[ROW(
        'agent', update_agent.agent_id::text, 'agent.updated', _changed, update_agent.correlation_id, NULL,
        update_agent.trace, NULL)::event_draft], update_agent.actor, update_agent.at) a;
    IF update_agent.ring THEN
        PERFORM pg_notify('annals_events', '');
    END IF;
    RETURN _position;
END $$;
