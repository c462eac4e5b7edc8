-- Ends attempts: everything a worker can do with a task that it holds, for a batch of mixed outcomes.
--
-- The caller proves that it still holds a task by naming its lease: the version of the task.started
-- event that handed it over. A worker that was given up for dead and comes back late names an old
-- lease, gets 'lease_lost', and leaves a task.completion_refused event. A task whose cancellation was
-- requested ends cancelled, whatever is reported. What the handler recorded is appended in the same
-- transaction, if the attempt completed (or keep_if_cancelled, and it was cancelled).
--
-- outcomes and details: completed {result, duration_ms}; failed {error_type, error_message,
-- error_traceback, duration_ms, retry, reason, delay_seconds}; timed_out {duration_ms}; cancelled {reason}; released {};
-- snoozed {run_at | delay_seconds}.
--
--   SELECT * FROM end_attempts('psql-1', '{task-100000001}', '{2}', '{completed}', ARRAY['{"result": 42}']::jsonb[]);

CREATE FUNCTION end_attempts(
    worker_id text,
    task_ids  text[],
    leases    integer[],
    outcomes  text[],
    details   jsonb[],
    records   jsonb       DEFAULT NULL,
    actor     text        DEFAULT NULL,
    ring      boolean     DEFAULT true,
    at        timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (task_id text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    _verdicts verdict[];
    _records  event_draft[] := '{}';
BEGIN
    IF NOT end_attempts.outcomes <@ ARRAY['completed', 'failed', 'timed_out', 'cancelled', 'released', 'snoozed'] THEN
        RAISE EXCEPTION 'unknown outcome in %', end_attempts.outcomes USING ERRCODE = 'AN422',
            HINT = 'Use completed, failed, timed_out, cancelled, released or snoozed.';
    END IF;
    IF (cardinality(end_attempts.leases), cardinality(end_attempts.outcomes), cardinality(end_attempts.details))
       IS DISTINCT FROM (cardinality(end_attempts.task_ids), cardinality(end_attempts.task_ids), cardinality(end_attempts.task_ids)) THEN
        RAISE EXCEPTION 'task_ids, leases, outcomes and details differ in length' USING ERRCODE = 'AN422';
    ELSIF EXISTS (SELECT FROM unnest(end_attempts.details) d WHERE jsonb_typeof(d) <> 'object') THEN
        RAISE EXCEPTION 'details are JSON objects' USING ERRCODE = 'AN422', HINT = 'A result goes into {"result": ...}.';
    END IF;
    -- Lock, in the order of the key, and judge. rank is above 1 when a batch names one task with several leases.
    -- The common case is judged in place, all others by judge_attempt.
    SELECT array_agg(CASE
               WHEN g.outcome = 'completed' AND (t.row).lease = g.lease AND NOT (t.row).cancellation_requested
                    AND pg_column_size(g.detail) <= max_event_bytes()
               THEN ROW(g.task_id, g.lease, 'completed', 'running', ROW(
                        g.task_id, (t.row).task_type, (t.row).subject, (t.row).version + g.rank, 'task.completed',
                        jsonb_build_object('attempt', (t.row).attempt) || g.detail, (t.row).correlation_id)::transition)::verdict
               ELSE judge_attempt(g.task_id, g.lease, g.rank, g.outcome, coalesce(g.detail, '{}'), t.row, end_attempts.worker_id, end_attempts.at)
           END)
      INTO _verdicts
    FROM (SELECT d.*, row_number() OVER (PARTITION BY d.task_id ORDER BY d.lease)::integer AS rank
          FROM (SELECT DISTINCT ON (u.task_id, u.lease) u.*
                FROM unnest(end_attempts.task_ids, end_attempts.leases, end_attempts.outcomes, end_attempts.details)
                     AS u (task_id, lease, outcome, detail)
                ORDER BY u.task_id, u.lease) d) g
    LEFT JOIN LATERAL (SELECT b AS row FROM background_tasks b WHERE b.task_id = g.task_id FOR UPDATE) t ON true;

    IF end_attempts.records IS NOT NULL THEN
        _records := accepted_records(end_attempts.records, _verdicts);
    END IF;
    PERFORM append_transitions(
        ARRAY(SELECT v.change FROM unnest(_verdicts) v WHERE (v.change).type IS NOT NULL),
        _records, coalesce(end_attempts.actor, 'worker:' || end_attempts.worker_id), end_attempts.at);
    IF end_attempts.ring THEN
        PERFORM ring_doorbell('annals_tasks', q.queue || '!')
        FROM (SELECT DISTINCT b.queue FROM unnest(_verdicts) v JOIN background_tasks b ON b.task_id = v.task_id
              WHERE v.outcome IN ('released', 'snoozed', 'retry_scheduled')) q;
    END IF;
    RETURN QUERY SELECT v.task_id, v.outcome FROM unnest(_verdicts) v;
END $$;
