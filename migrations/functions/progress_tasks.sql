-- Records how far running attempts have come, what they are doing, and what they saved for a next attempt.
--
-- Each caller names its lease, as in end_attempts. The outcome also tells a worker that a task was
-- cancelled or lost: 'progressed', 'cancellation_requested', 'lease_lost', 'not_found'.
--
--   SELECT * FROM progress_tasks('psql-1', '{task-100000001}', '{2}', '{50}', '{halfway}', '{NULL}');

CREATE FUNCTION progress_tasks(
    worker_id   text,
    task_ids    text[],
    leases      integer[],
    percentages real[],
    steps       text[],
    checkpoints jsonb[],
    actor       text        DEFAULT NULL,
    ring        boolean     DEFAULT true,
    at          timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (task_id text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    _verdicts verdict[];
BEGIN
    IF (cardinality(progress_tasks.leases), cardinality(progress_tasks.percentages), cardinality(progress_tasks.steps),
        cardinality(progress_tasks.checkpoints)) IS DISTINCT FROM
       (cardinality(progress_tasks.task_ids), cardinality(progress_tasks.task_ids), cardinality(progress_tasks.task_ids),
        cardinality(progress_tasks.task_ids)) THEN
        RAISE EXCEPTION 'task_ids, leases, percentages, steps and checkpoints differ in length' USING ERRCODE = 'AN422';
    ELSIF EXISTS (SELECT FROM unnest(progress_tasks.percentages) p WHERE p NOT BETWEEN 0 AND 100) THEN
        RAISE EXCEPTION 'a percentage is outside 0 to 100' USING ERRCODE = 'AN422';
    END IF;
    SELECT array_agg(ROW(g.task_id, g.lease,
               CASE WHEN t.task_id IS NULL THEN 'not_found' WHEN t.lease IS DISTINCT FROM g.lease THEN 'lease_lost'
                    WHEN t.cancellation_requested THEN 'cancellation_requested'
                    WHEN pg_column_size(g.checkpoint) > max_event_bytes() THEN 'too_big' ELSE 'progressed' END,
               t.status,
               ROW(g.task_id, t.task_type, t.subject, t.version + 1, 'task.progressed', jsonb_strip_nulls(jsonb_build_object(
                   'attempt', t.attempt, 'percentage', g.percentage, 'step', g.step))
                   || CASE WHEN g.checkpoint IS NULL THEN '{}' ELSE jsonb_build_object('checkpoint', g.checkpoint) END,
                   t.correlation_id)::transition)::verdict)
      INTO _verdicts
    FROM (SELECT DISTINCT ON (u.task_id) u.*
          FROM unnest(progress_tasks.task_ids, progress_tasks.leases, progress_tasks.percentages, progress_tasks.steps,
                      progress_tasks.checkpoints) AS u (task_id, lease, percentage, step, checkpoint)
          ORDER BY u.task_id, u.lease DESC) g
    LEFT JOIN LATERAL (SELECT b.task_id, b.task_type, b.subject, b.version, b.lease, b.attempt, b.status,
                              b.cancellation_requested, b.correlation_id
                       FROM background_tasks b WHERE b.task_id = g.task_id FOR UPDATE) t ON true;
    PERFORM append_transitions(
        ARRAY(SELECT v.change FROM unnest(_verdicts) v WHERE v.outcome = 'progressed'),
        '{}', coalesce(progress_tasks.actor, 'worker:' || progress_tasks.worker_id), progress_tasks.at);
    IF progress_tasks.ring THEN
        PERFORM pg_notify('annals_events', '');
    END IF;
    RETURN QUERY SELECT v.task_id, v.outcome FROM unnest(_verdicts) v;
END $$;
