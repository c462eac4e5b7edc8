-- Returns ended tasks to the queue by hand, with their failures reset: failed, timeout or cancelled ones.
--
-- Outcomes: 'retried', 'conflict' (pending, running or completed; status tells which), 'not_found'.
--
--   SELECT * FROM retry_tasks('{task-100000001}', reason => 'the supplier is back');

CREATE FUNCTION retry_tasks(
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
    _replayed  jsonb := replay_request(retry_tasks.request);
    _verdicts  verdict[];
    _changes   transition[];
    _positions bigint[];
    _answer    jsonb;
BEGIN
    IF _replayed IS NULL THEN
        SELECT array_agg(ROW(g.task_id, NULL,
                   CASE WHEN t.task_id IS NULL THEN 'not_found' WHEN t.status IN ('failed', 'timeout', 'cancelled') THEN 'retried'
                        ELSE 'conflict' END,
                   t.status,
                   ROW(g.task_id, t.task_type, t.subject, t.version + 1,
                       CASE WHEN t.status IN ('failed', 'timeout', 'cancelled') THEN 'task.retry_requested' END,
                       jsonb_strip_nulls(jsonb_build_object('by', retry_tasks.actor, 'reason', retry_tasks.reason)),
                       t.correlation_id)::transition)::verdict)
          INTO _verdicts
        FROM (SELECT DISTINCT u.task_id FROM unnest(retry_tasks.task_ids) AS u (task_id) ORDER BY u.task_id) g
        LEFT JOIN LATERAL (SELECT b.* FROM background_tasks b WHERE b.task_id = g.task_id FOR UPDATE) t ON true;
        _changes := ARRAY(SELECT v.change FROM unnest(_verdicts) v WHERE v.outcome = 'retried');
        _positions := append_transitions(_changes, '{}', retry_tasks.actor, retry_tasks.at);
        SELECT coalesce(jsonb_agg(jsonb_build_object('task_id', v.task_id, 'outcome', v.outcome, 'status', v.status,
                                                     'position', _positions[array_position(
                             ARRAY(SELECT c.task_id FROM unnest(_changes) c), v.task_id)])), '[]')
          INTO _answer FROM unnest(_verdicts) v;
        IF (retry_tasks.request).key IS NOT NULL THEN
            PERFORM keep_request(retry_tasks.request, _answer);
        END IF;
        IF retry_tasks.ring THEN
            PERFORM ring_doorbell('annals_tasks', q.queue)
            FROM (SELECT DISTINCT b.queue FROM unnest(_verdicts) v JOIN background_tasks b ON b.task_id = v.task_id
                  WHERE v.outcome = 'retried') q;
        END IF;
    END IF;
    RETURN QUERY SELECT r.task_id, r.outcome, r.status, r.position
        FROM jsonb_to_recordset(coalesce(_replayed, _answer)) AS r (task_id text, outcome text, status text, "position" bigint);
END $$;
