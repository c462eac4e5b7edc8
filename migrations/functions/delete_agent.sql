-- Deletes an agent: its open tasks end cancelled, then its rows go; the events stay.
--
-- Tasks are locked before the agent, as everywhere. A task that was enqueued while this waited for the
-- agent can not be locked after it without risking a deadlock, so the locks are given back (the inner
-- block is a savepoint) and taken again. A handler that runs learns by the doorbell, or because its
-- progress finds no task.
--
--   SELECT delete_agent('5f3c0c5e-0000-4000-8000-000000000000');

CREATE FUNCTION delete_agent(
    agent_id       uuid,
    reason         text        DEFAULT NULL,
    actor          text        DEFAULT default_actor(),
    correlation_id text        DEFAULT NULL,
    trace          text        DEFAULT NULL,
    ring           boolean     DEFAULT true,
    at             timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE ("position" bigint, stopped text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _open    transition[];
    _locked  text[];
    _running text[];
    _deleted event_draft;
BEGIN
    LOOP
        BEGIN
            SELECT coalesce(array_agg(t.task_id), '{}'),
                   coalesce(array_agg(t.task_id) FILTER (WHERE t.status = 'running'), '{}'),
                   coalesce(array_agg(ROW(t.task_id, t.task_type, t.subject, t.version + 1, 'task.cancelled', jsonb_strip_nulls(
                       jsonb_build_object('reason', coalesce(delete_agent.reason, 'agent deleted'),
                                          'attempt', CASE WHEN t.status = 'running' THEN t.attempt END)),
                       t.correlation_id)::transition) FILTER (WHERE t.status IN ('pending', 'running')), '{}')
              INTO _locked, _running, _open
            FROM (SELECT b.* FROM background_tasks b WHERE b.agent_id = delete_agent.agent_id ORDER BY b.task_id FOR UPDATE) t;
            PERFORM require_agent(delete_agent.agent_id);
            IF EXISTS (SELECT FROM background_tasks b WHERE b.agent_id = delete_agent.agent_id AND b.task_id <> ALL (_locked)) THEN
                RAISE EXCEPTION 'tasks came while waiting' USING ERRCODE = 'AN001';
            END IF;
            EXIT;
        EXCEPTION WHEN SQLSTATE 'AN001' THEN
            NULL;
        END;
    END LOOP;
    _deleted := ROW('agent', delete_agent.agent_id::text, 'agent.deleted',
                    jsonb_strip_nulls(jsonb_build_object('reason', delete_agent.reason)), delete_agent.correlation_id, NULL,
                    delete_agent.trace, NULL);
    -- The fold below deletes rows that retention may be deleting too: one of them waits, before it appends.
    PERFORM FROM retention_marks m WHERE m.what IN ('attempts', 'coverage_history') ORDER BY m.what FOR SHARE;
    PERFORM append_transitions(_open, '{}', delete_agent.actor, delete_agent.at, NULL, delete_agent.trace);
    RETURN QUERY SELECT a.position, _running FROM append_events(ARRAY[_deleted], delete_agent.actor, delete_agent.at) a;
    IF delete_agent.ring THEN
        PERFORM ring_doorbell('annals_cancel', t) FROM unnest(_running) t;
        PERFORM pg_notify('annals_events', '');
    END IF;
END $$;
