-- The row of an agent, locked as the head of its stream; raises AN404 when there is none.
--
--   SELECT (require_agent('5f3c0c5e-0000-4000-8000-000000000000')).name;

CREATE FUNCTION require_agent(agent_id uuid) RETURNS agents
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _agent agents;
BEGIN
    SELECT * INTO _agent FROM agents a WHERE a.agent_id = require_agent.agent_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'Agent not found: %', require_agent.agent_id USING ERRCODE = 'AN404';
    END IF;
    RETURN _agent;
END $$;
