-- Enqueues tasks: one statement of events for any number of them, up to a few thousand a call.
--
-- What a task leaves out comes from the catalogue (task_types). All or nothing: bad input raises and
-- nothing is written. A task whose unique_key meets one that is pending or running (or in the statuses
-- that unique_states names) is not enqueued; its row tells 'duplicate' and the id of the other.
-- correlation_ids, one for each task, is for requests of several callers that are written together.
--
-- The ordinary call brings one task, or many that differ in nothing but their params, of a type without a reaction:
-- then the first is drafted, and one INSERT gives the others its draft with their own params.
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
    _replayed  jsonb;
    _alike     boolean := false;
    _drafts    task_draft[];
    _first     task_draft;
    _prefix    text;
    _positions bigint[];
    _answer    jsonb;
    _taken     text;
BEGIN
    IF (enqueue_tasks.request).key IS NOT NULL THEN
        _replayed := replay_request(enqueue_tasks.request);
        IF _replayed IS NOT NULL THEN
            RETURN QUERY SELECT r.ordinal, r.task_id, r.outcome, r.position, r.queue
                FROM jsonb_to_recordset(_replayed) AS r (ordinal integer, task_id text, outcome text, "position" bigint, queue text);
            RETURN;
        END IF;
    END IF;

    IF (enqueue_tasks.request).key IS NULL THEN
        -- What draft_tasks and intern_lanes come to for a plain task of a plain type whose lane there is.
        SELECT 1, new_task_id(c.id_prefix), c.task_type, c.queue, priority_class(c.priority), '', NULL, NULL, NULL, NULL,
               enqueued_data(c.task_type, c.queue, c.priority, c.max_attempts, c.timeout_seconds, c.backoff,
                             coalesce(enqueue_tasks.tasks #> '{0,params}', '{}'))
          INTO _first
        FROM task_types c
        JOIN lanes l ON l.queue = c.queue AND l.class = priority_class(c.priority) AND l.limit_group = c.limit_group
        WHERE c.task_type = enqueue_tasks.tasks #>> '{0,task_type}' AND c.current AND c.subject_type IS NULL AND c.limit_group = ''
          AND is_plain_task(enqueue_tasks.tasks -> 0, max_event_bytes()) AND reaction_to(c.task_type) IS NULL;
        IF FOUND THEN
            _alike := jsonb_array_length(enqueue_tasks.tasks) = 1 OR tasks_alike(enqueue_tasks.tasks);
        ELSIF tasks_alike(enqueue_tasks.tasks) THEN
            _drafts := draft_tasks(jsonb_build_array(enqueue_tasks.tasks -> 0), enqueue_tasks.at);
            PERFORM intern_lanes(_drafts);
            _first := _drafts[1];
            -- A subject that is derived from params is not alike.
            _alike := reaction_to(_first.task_type) IS NULL
                AND (jsonb_array_length(enqueue_tasks.tasks) = 1 OR _first.subject IS NOT DISTINCT FROM enqueue_tasks.tasks #>> '{0,subject}');
        END IF;
    END IF;

    IF _alike THEN
        IF jsonb_array_length(enqueue_tasks.tasks) > 1 THEN
            _prefix := (SELECT c.id_prefix FROM task_types c WHERE c.task_type = _first.task_type AND c.current);
        END IF;
        IF enqueue_tasks.ring THEN
            PERFORM ring_doorbell('annals_tasks', _first.queue);
        END IF;
        RETURN QUERY
            WITH inserted AS (
                INSERT INTO events (stream_type, stream_id, version, type, data, actor, correlation_id, causation_id, trace, recorded_at)
                SELECT 'task', CASE g.ordinality WHEN 1 THEN _first.task_id ELSE new_task_id(_prefix) END, 1, 'task.enqueued',
                       CASE g.ordinality WHEN 1 THEN _first.data
                            ELSE jsonb_set(_first.data, '{params}', coalesce(g.task -> 'params', '{}')) END,
                       enqueue_tasks.actor, coalesce(enqueue_tasks.correlation_ids[g.ordinality], enqueue_tasks.correlation_id),
                       enqueue_tasks.causation_id, enqueue_tasks.trace, enqueue_tasks.at
                FROM jsonb_array_elements(enqueue_tasks.tasks) WITH ORDINALITY AS g (task, ordinality)
                RETURNING events.stream_id, events.position)
            SELECT (row_number() OVER ())::integer, i.stream_id, 'enqueued', i.position, _first.queue FROM inserted i;
        RETURN;
    END IF;

    _drafts := draft_tasks(enqueue_tasks.tasks, enqueue_tasks.at);
    IF enqueue_tasks.tasks @? '$[*].unique_key' THEN
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
