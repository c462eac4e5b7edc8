-- Appends a whole coverage task that was worked off in the request itself (background=false).
--
-- The caller calculates first; then task.enqueued, task.started, coverage.measured and task.completed go
-- into the log in one statement, with their business times in occurred_at, so that history has no hole and
-- nothing holds the append fence while it calculates. coverage is the data of coverage.measured without
-- agent_id and task_id, result what the task is to answer.
--
--   SELECT * FROM measure_coverage('5f3c0c5e-0000-4000-8000-000000000000',
--     '{"measured_at": "2026-01-01T00:00:00Z", "overall_coverage": 46.67, "total_documents": 14, "total_chunks": 20, "version": "1.0.0"}',
--     '{"coverage_percent": 46.67}', started_at => now());

CREATE FUNCTION measure_coverage(
    agent_id       uuid,
    coverage       jsonb,
    result         jsonb,
    started_at     timestamptz,
    options        jsonb       DEFAULT '{}',
    actor          text        DEFAULT default_actor(),
    correlation_id text        DEFAULT NULL,
    trace          text        DEFAULT NULL,
    request        request_key DEFAULT NULL,
    ring           boolean     DEFAULT true,
    at             timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (task_id text, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _answer   jsonb := replay_request(measure_coverage.request);
    _began    jsonb := jsonb_build_object('occurred_at', measure_coverage.started_at);
    _ended    jsonb := jsonb_build_object('occurred_at', measure_coverage.at);
    _tasks    task_draft[];
    _id       text;
    _position bigint;
BEGIN
    IF _answer IS NULL THEN
        -- options: what an enqueue takes as well (priority, webhook_url).
        _tasks := draft_tasks(jsonb_build_array(measure_coverage.options || jsonb_build_object(
            'task_type', 'coverage_refresh', 'params', jsonb_build_object('agent_id', measure_coverage.agent_id))), measure_coverage.at);
        PERFORM intern_lanes(_tasks);
        PERFORM require_agent(measure_coverage.agent_id);
        IF num_nulls(measure_coverage.coverage ->> 'measured_at', measure_coverage.coverage ->> 'version', measure_coverage.started_at,
                     measure_coverage.coverage ->> 'total_documents', measure_coverage.coverage ->> 'total_chunks') > 0
           OR NOT coalesce(jsonb_path_exists(measure_coverage.coverage, '$ ? (@.overall_coverage >= 0 && @.overall_coverage <= 100)'), false) THEN
            RAISE EXCEPTION 'a coverage needs measured_at, overall_coverage (0 to 100), total_documents, total_chunks and version'
                USING ERRCODE = 'AN422';
        END IF;
        _id := _tasks[1].task_id;
        SELECT max(a.position) INTO _position FROM append_events(ARRAY(
            SELECT ROW(d.stream_type, d.stream_id, d.type, d.data, measure_coverage.correlation_id, NULL, measure_coverage.trace, NULL)::event_draft
            FROM (VALUES
                (1, 'task', _id, 'task.enqueued', _tasks[1].data || _began),
                (2, 'task', _id, 'task.started', jsonb_build_object('attempt', 1, 'worker_id', measure_coverage.actor) || _began),
                (3, 'agent', measure_coverage.agent_id::text, 'coverage.measured', measure_coverage.coverage
                    || jsonb_build_object('agent_id', measure_coverage.agent_id, 'task_id', _id)),
                (4, 'task', _id, 'task.completed', jsonb_build_object('attempt', 1, 'result', measure_coverage.result,
                    'duration_ms', round(extract(epoch FROM measure_coverage.at - measure_coverage.started_at) * 1000, 3)) || _ended)
            ) AS d (ordinal, stream_type, stream_id, type, data)
            ORDER BY d.ordinal), measure_coverage.actor, measure_coverage.at) a;
        _answer := jsonb_build_object('task_id', _id, 'position', _position);
        IF (measure_coverage.request).key IS NOT NULL THEN
            PERFORM keep_request(measure_coverage.request, _answer);
        END IF;
        IF measure_coverage.ring THEN
            PERFORM pg_notify('annals_events', '');
        END IF;
    END IF;
    RETURN QUERY SELECT _answer ->> 'task_id', (_answer ->> 'position')::bigint;
END $$;
