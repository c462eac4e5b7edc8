-- Cancels tasks: pending ones at once, running ones by asking their worker to stop.
--
-- Outcomes: 'cancelled', 'cancellation_requested' (the task ends cancelled whatever its handler does,
-- unless it is already over), 'conflict' (terminal; status tells which), 'not_found'. Asking twice is
-- answered the same and appended once.
--
--   SELECT * FROM cancel_tasks('{task-100000001}', reason => 'not needed any more');

CREATE FUNCTION cancel_tasks(
    task_ids text[],
    reason   text        DEFAULT NULL,
    actor    text        DEFAULT default_actor(),
    request  request_key DEFAULT NULL,
    ring     boolean     DEFAULT true,
    at       timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (task_id text, outcome text, status text, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    _replayed  jsonb := replay_request(cancel_tasks.request);
    _verdicts  verdict[];
    _changes   transition[];
    _positions bigint[];
    _answer    jsonb;
BEGIN
    IF _replayed IS NULL THEN
        SELECT array_agg(ROW(g.task_id, NULL,
                   CASE WHEN t.task_id IS NULL THEN 'not_found' WHEN t.status = 'pending' THEN 'cancelled'
                        WHEN t.status = 'running' THEN 'cancellation_requested' ELSE 'conflict' END,
                   t.status,
                   ROW(g.task_id, t.task_type, t.subject, t.version + 1,
                       CASE WHEN t.status = 'pending' THEN 'task.cancelled'
                            WHEN t.status = 'running' AND NOT t.cancellation_requested THEN 'task.cancellation_requested' END,
                       jsonb_strip_nulls(jsonb_build_object('reason', cancel_tasks.reason)), t.correlation_id)::transition)::verdict)
          INTO _verdicts
        FROM (SELECT DISTINCT u.task_id FROM unnest(cancel_tasks.task_ids) AS u (task_id) ORDER BY u.task_id) g
        LEFT JOIN LATERAL (SELECT b.* FROM background_tasks b WHERE b.task_id = g.task_id FOR UPDATE) t ON true;
        _changes := ARRAY(SELECT v.change FROM unnest(_verdicts) v WHERE (v.change).type IS NOT NULL);
        _positions := append_transitions(_changes, '{}', cancel_tasks.actor, cancel_tasks.at);
        SELECT coalesce(jsonb_agg(jsonb_build_object('task_id', v.task_id, 'outcome', v.outcome, 'status', v.status,
                                                     'position', _positions[array_position(
                             ARRAY(SELECT c.task_id FROM unnest(_changes) c), v.task_id)])), '[]')
          INTO _answer FROM unnest(_verdicts) v;
        IF (cancel_tasks.request).key IS NOT NULL THEN
            PERFORM keep_request(cancel_tasks.request, _answer);
        END IF;
        IF cancel_tasks.ring THEN
            PERFORM ring_doorbell('annals_cancel', v.task_id) FROM unnest(_verdicts) v
            WHERE v.outcome IN ('cancelled', 'cancellation_requested');
        END IF;
    END IF;
    RETURN QUERY SELECT r.task_id, r.outcome, r.status, r.position
        FROM jsonb_to_recordset(coalesce(_replayed, _answer)) AS r (task_id text, outcome text, status text, "position" bigint);
END $$;
