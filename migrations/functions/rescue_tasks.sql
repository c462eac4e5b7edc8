-- Takes the tasks of a dead worker away from it and returns them to the queue, with their seniority.
--
-- The rescuer names the sign of life that it has watched go stale; a worker that renewed it meanwhile
-- keeps its tasks. Tasks may also run under a name that no worker has (seen_at NULL), or under that of one that
-- ended; then last_change, the newest changed_position among them, is the sign that was watched.
--
-- A rescue costs no attempt, but a task that was rescued max_rescues times already fails with 'Worker lost': one
-- that kills its worker must not do so for ever.
--
--   SELECT * FROM rescue_tasks('w-1', (SELECT seen_at FROM workers WHERE worker_id = 'w-1'));

CREATE FUNCTION rescue_tasks(
    worker_id   text,
    seen_at     timestamptz,
    max_rescues integer     DEFAULT 3,
    actor       text        DEFAULT default_actor(),
    ring        boolean     DEFAULT true,
    at          timestamptz DEFAULT clock_timestamp(),
    last_change bigint      DEFAULT NULL
) RETURNS TABLE (task_id text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _verdicts verdict[];
    _newest   bigint;
BEGIN
    IF coalesce(rescue_tasks.max_rescues, -1) < 0 THEN
        RAISE EXCEPTION 'max_rescues is 0 or more' USING ERRCODE = 'AN422';
    END IF;
    -- Tasks before workers, as everywhere; whether the worker is dead is decided under its own lock below.
    SELECT array_agg(ROW(t.task_id, t.lease,
               CASE WHEN t.cancellation_requested THEN 'cancelled' WHEN t.rescues < rescue_tasks.max_rescues THEN 'rescued' ELSE 'failed' END,
               t.status,
               ROW(t.task_id, t.task_type, t.subject, t.version + 1,
                   CASE WHEN t.cancellation_requested THEN 'task.cancelled'
                        WHEN t.rescues < rescue_tasks.max_rescues THEN 'task.rescued' ELSE 'task.failed' END,
                   jsonb_build_object('attempt', t.attempt, 'worker_id', t.worker_id)
                   || CASE WHEN t.cancellation_requested OR t.rescues < rescue_tasks.max_rescues THEN '{}'::jsonb
                           ELSE jsonb_build_object('error_type', 'WorkerLost', 'reason', 'worker_lost',
                               'error_message', format('Worker lost (rescued %s times before)', t.rescues)) END,
                   t.correlation_id)::transition)::verdict), max(t.changed_position)
      INTO _verdicts, _newest
    FROM (SELECT b.* FROM background_tasks b
          WHERE b.status = 'running' AND b.worker_id = rescue_tasks.worker_id
          ORDER BY b.task_id FOR UPDATE) t;
    -- Its head before its row, as the folds and repair_streams do: the other way round they would wait for each other.
    PERFORM lock_streams(ARRAY(SELECT ROW('worker', w.worker_id, NULL, NULL, NULL, NULL, NULL, NULL)::event_draft
                               FROM workers w WHERE w.worker_id = rescue_tasks.worker_id AND w.seen_at = rescue_tasks.seen_at));
    PERFORM FROM workers w
    WHERE w.worker_id = rescue_tasks.worker_id AND w.seen_at = rescue_tasks.seen_at FOR UPDATE;
    IF NOT FOUND AND (rescue_tasks.seen_at NOTNULL OR EXISTS (SELECT FROM workers w WHERE w.worker_id = rescue_tasks.worker_id))
       OR _newest <> rescue_tasks.last_change THEN
        RETURN;
    END IF;
    PERFORM append_transitions(
        ARRAY(SELECT v.change FROM unnest(_verdicts) v),
        ARRAY(SELECT ROW('worker', w.worker_id, 'worker.lost',
                         jsonb_build_object('worker_id', w.worker_id, 'reason', 'no sign of life',
                                            'seen_at', rescue_tasks.seen_at), NULL, NULL, NULL, NULL)::event_draft
              FROM workers w WHERE w.worker_id = rescue_tasks.worker_id AND w.status = 'live'),
        rescue_tasks.actor, rescue_tasks.at);
    IF rescue_tasks.ring THEN
        PERFORM ring_doorbell('annals_tasks', q.queue || '!')
        FROM (SELECT DISTINCT b.queue FROM unnest(_verdicts) v JOIN background_tasks b ON b.task_id = v.task_id) q;
    END IF;
    RETURN QUERY SELECT v.task_id, v.outcome FROM unnest(_verdicts) v;
END $$;
