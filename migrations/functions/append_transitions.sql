-- Appends task transitions, then the events that they cause: reactions' and the handler's own records.
--
-- The caller holds the locks of the tasks. Subject rows are locked here, by the reactions and
-- lock_streams, before the first insert, so that nothing waits for a lock inside the append fence.
-- Returns the position of each transition, in their order. Like every function without SECURITY DEFINER it
-- has only the rights of its caller: it is a part of the write functions, not an entrance of its own.
--
--   SELECT append_transitions(ARRAY[('task-1', 'noop', NULL, 2, 'task.started', '{}', NULL)]::transition[], '{}', 'psql:me', now());

CREATE FUNCTION append_transitions(
    transitions  transition[],
    records      event_draft[],
    actor        text,
    at           timestamptz,
    causation_id bigint DEFAULT NULL,
    trace        text DEFAULT NULL
) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    _caused    event_draft[];
    _positions bigint[];
BEGIN
    -- A worker that dies idle has no transitions, but its loss is still to be recorded.
    IF coalesce(append_transitions.transitions, '{}') = '{}' AND coalesce(append_transitions.records, '{}') = '{}' THEN
        RETURN '{}';
    END IF;
    _caused := ARRAY(SELECT r FROM react(append_transitions.transitions) r) || append_transitions.records;
    IF _caused <> '{}' THEN
        PERFORM lock_streams(_caused);
    END IF;
    WITH inserted AS (
        INSERT INTO events (stream_type, stream_id, version, type, data, actor, correlation_id, causation_id, trace, recorded_at)
        SELECT 'task', t.task_id, t.version, t.type, t.data, append_transitions.actor, t.correlation_id,
               append_transitions.causation_id, append_transitions.trace, append_transitions.at
        FROM unnest(append_transitions.transitions) t
        RETURNING events.position)
    SELECT array_agg(i.position) INTO _positions FROM inserted i;
    IF _caused <> '{}' THEN
        PERFORM append_events(ARRAY(
            SELECT ROW(c.stream_type, c.stream_id, c.type, c.data, c.correlation_id,
                       coalesce(c.causation_id, (SELECT _positions[t.ordinality] FROM unnest(append_transitions.transitions) WITH ORDINALITY t
                                                 WHERE t.task_id = c.caused_by)),
                       coalesce(c.trace, append_transitions.trace), NULL)::event_draft
            FROM unnest(_caused) WITH ORDINALITY c ORDER BY c.ordinality), append_transitions.actor, append_transitions.at);
    END IF;
    RETURN coalesce(_positions, '{}');
END $$;
