-- Records that an agent was queried, and keeps the answer for a repetition of the same request.
--
-- Gives the answer to send: the one that was kept when the request is repeated, else the one given.
--
--   SELECT record_agent_query('5f3c0c5e-0000-4000-8000-000000000000', latency_ms => 12.5, results => 3);

CREATE FUNCTION record_agent_query(
    agent_id       uuid,
    latency_ms     double precision,
    results        integer,
    answer         jsonb       DEFAULT '{}',
    actor          text        DEFAULT default_actor(),
    correlation_id text        DEFAULT NULL,
    trace          text        DEFAULT NULL,
    request        request_key DEFAULT NULL,
    ring           boolean     DEFAULT true,
    at             timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (reply jsonb, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _kept     jsonb := replay_request(record_agent_query.request);
    _position bigint;
BEGIN
    IF _kept IS NOT NULL THEN
        RETURN QUERY SELECT _kept -> 'answer', (_kept ->> 'position')::bigint;
        RETURN;
    END IF;
    IF record_agent_query.results IS NULL OR record_agent_query.results < 0
       OR record_agent_query.latency_ms IS NULL OR NOT record_agent_query.latency_ms BETWEEN 0 AND 1e9 THEN
        RAISE EXCEPTION 'results and latency_ms are numbers from 0' USING ERRCODE = 'AN422';
    END IF;
    PERFORM require_agent(record_agent_query.agent_id);
    SELECT a.position INTO _position FROM append_events(ARRAY[ROW(
        'agent', record_agent_query.agent_id::text, 'agent.queried',
        jsonb_build_object('latency_ms', record_agent_query.latency_ms, 'results', record_agent_query.results),
        record_agent_query.correlation_id, NULL, record_agent_query.trace, NULL)::event_draft],
        record_agent_query.actor, record_agent_query.at) a;
    IF (record_agent_query.request).key IS NOT NULL THEN
        PERFORM keep_request(record_agent_query.request,
                             jsonb_build_object('answer', record_agent_query.answer, 'position', _position));
    END IF;
    IF record_agent_query.ring THEN
        PERFORM pg_notify('annals_events', '');
    END IF;
    RETURN QUERY SELECT record_agent_query.answer, _position;
END $$;
