-- What a transition of a coverage task causes: nothing of its own, but an enqueue needs its agent.
--
-- The agents are locked against deletion until the enqueue commits, so that no task outlives its agent.
--
--   SELECT enqueue_task('coverage_refresh', params => '{"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}');

CREATE FUNCTION react_coverage_refresh(transitions transition[]) RETURNS SETOF event_draft
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    _wanted  uuid[] := ARRAY(SELECT DISTINCT substr(t.subject, 7)::uuid FROM unnest(react_coverage_refresh.transitions) t
                             WHERE t.type = 'task.enqueued');
    _found   uuid[];
    _another text;
BEGIN
    IF _wanted = '{}' THEN
        RETURN;
    END IF;
    SELECT t.data -> 'params' ->> 'agent_id' INTO _another FROM unnest(react_coverage_refresh.transitions) t
    WHERE t.type = 'task.enqueued' AND 'agent:' || (t.data -> 'params' ->> 'agent_id') IS DISTINCT FROM t.subject;
    IF FOUND THEN
        RAISE EXCEPTION 'the subject of a coverage task is not its params.agent_id %', _another
            USING ERRCODE = 'AN422', HINT = 'Leave subject out: it is derived from params.agent_id.';
    END IF;
    _found := ARRAY(SELECT a.agent_id FROM agents a WHERE a.agent_id = ANY (_wanted) ORDER BY a.agent_id FOR KEY SHARE);
    IF cardinality(_found) < cardinality(_wanted) THEN
        RAISE EXCEPTION 'Agent not found: %', (SELECT string_agg(w::text, ', ') FROM unnest(_wanted) w WHERE w <> ALL (_found))
            USING ERRCODE = 'AN404';
    END IF;
END $$;
