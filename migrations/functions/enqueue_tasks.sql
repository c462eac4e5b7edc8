-- Enqueues tasks: one statement of events for any number of them, up to a few thousand a call.
--
-- What a task leaves out comes from the catalogue (task_types). All or nothing: bad input raises and
-- nothing is written. A task whose unique_key meets one that is pending or running (or in the statuses
-- that unique_states names) is not enqueued; its row tells 'duplicate' and the id of the other.
-- correlation_ids, one for each task, is for requests of several callers that are written together.
--
--   SELECT * FROM enqueue_tasks('[{"task_type": "coverage_refresh", "params": {"agent_id": "5f3c0c5e-0000-4000-8000-000000000000"}, "priority": 2}]');

CREATE FUNCTION enqueue_tasks(
    tasks           jsonb,
    actor           text        DEFAULT default_actor(),
    correlation_id  text        DEFAULT NULL,
    causation_id    bigint      DEFAULT NULL,
    trace           text        DEFAULT NULL,
    request         request_key DEFAULT NULL,
    ring            boolean     DEFAULT true,
    at              timestamptz DEFAULT clock_timestamp(),
    correlation_ids text[]      DEFAULT NULL
) RETURNS TABLE (ordinal integer, task_id text, outcome text, "position" bigint, queue text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _replayed  jsonb := replay_request(enqueue_tasks.request);
    _drafts    task_draft[];
    _positions bigint[];
    _answer    jsonb;
    _taken     text;
BEGIN
    IF _replayed IS NOT NULL THEN
        RETURN QUERY SELECT r.ordinal, r.task_id, r.outcome, r.position, r.queue
            FROM jsonb_to_recordset(_replayed) AS r (ordinal integer, task_id text, outcome text, "position" bigint, queue text);
        RETURN;
    END IF;
    _drafts := draft_tasks(enqueue_tasks.tasks, enqueue_tasks.at);
    IF EXISTS (SELECT FROM unnest(_drafts) d WHERE d.unique_key IS NOT NULL) THEN
        _drafts := resolve_duplicates(_drafts);
    END IF;
    IF enqueue_tasks.tasks @? '$[*].task_id' THEN
        SELECT d.task_id INTO _taken FROM unnest(_drafts) d
        WHERE d.duplicate_of IS NULL AND (
            EXISTS (SELECT FROM events e WHERE e.stream_type = 'task' AND e.stream_id = d.task_id)
            OR EXISTS (SELECT FROM unnest(_drafts) o WHERE o.task_id = d.task_id AND o.ordinal < d.ordinal AND o.duplicate_of IS NULL))
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'task % exists already', _taken USING ERRCODE = 'AN409', HINT = 'Leave task_id out, or use unique_key.';
        END IF;
    END IF;
    PERFORM intern_lanes(_drafts);

    _positions := append_transitions(
        ARRAY(SELECT ROW(d.task_id, d.task_type, d.subject, 1, 'task.enqueued', d.data,
                         coalesce(enqueue_tasks.correlation_ids[d.ordinal], enqueue_tasks.correlation_id))::transition
              FROM unnest(_drafts) d WHERE d.duplicate_of IS NULL ORDER BY d.ordinal),
        '{}', enqueue_tasks.actor, enqueue_tasks.at, enqueue_tasks.causation_id, enqueue_tasks.trace);
    IF enqueue_tasks.ring THEN
        PERFORM ring_doorbell('annals_tasks', d.queue) FROM (SELECT DISTINCT u.queue FROM unnest(_drafts) u) d;
    END IF;
    IF (enqueue_tasks.request).key IS NOT NULL THEN
        SELECT jsonb_agg(to_jsonb(o) ORDER BY o.ordinal) INTO _answer FROM enqueue_outcomes(_drafts, _positions) o;
        PERFORM keep_request(enqueue_tasks.request, _answer);
    END IF;
    RETURN QUERY SELECT * FROM enqueue_outcomes(_drafts, _positions);
END $$;
