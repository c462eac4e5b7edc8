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
    _task_ids text[];
    _outcomes text[];
    _changes  transition[];
    _missing  boolean;
    _records  event_draft[] := '{}';
    _limit    constant integer := max_event_bytes();
    _first    constant jsonb := '{"attempt": 1}';  -- of nearly every task; built once, not per row
BEGIN
    IF NOT end_attempts.outcomes <@ ARRAY['completed', 'failed', 'timed_out', 'cancelled', 'released', 'snoozed'] THEN
        RAISE EXCEPTION 'unknown outcome in %', end_attempts.outcomes USING ERRCODE = 'AN422',
            HINT = 'Use completed, failed, timed_out, cancelled, released or snoozed.';
    END IF;
    IF (cardinality(end_attempts.leases), cardinality(end_attempts.outcomes), cardinality(end_attempts.details))
       IS DISTINCT FROM (cardinality(end_attempts.task_ids), cardinality(end_attempts.task_ids), cardinality(end_attempts.task_ids)) THEN
        RAISE EXCEPTION 'task_ids, leases, outcomes and details differ in length' USING ERRCODE = 'AN422';
    END IF;
    -- Lock, in the order of the key, and judge. rank is above 1 when a batch names one task with several leases.
    -- The common case is judged in place, with the few columns that it needs; all others by judge_attempt, which
    -- reads the locked row itself: whole rows as values would cost every task what only failures need.
    SELECT array_agg(x.task_id), array_agg(coalesce((x.verdict).outcome, 'completed')),
           array_agg(CASE WHEN x.verdict IS NULL THEN ROW(
                              x.task_id, x.task_type, x.subject, x.version + x.rank, 'task.completed',
                              CASE x.attempt WHEN 1 THEN _first ELSE jsonb_build_object('attempt', x.attempt) END || x.detail,
                              x.correlation_id)::transition
                          ELSE (x.verdict).change END),
           bool_or((x.verdict).outcome = 'not_found')
      INTO _task_ids, _outcomes, _changes, _missing
    FROM (SELECT g.task_id, g.rank, g.detail, t.task_type, t.subject, t.version, t.attempt, t.correlation_id,
                 CASE WHEN g.outcome = 'completed' AND t.lease = g.lease AND NOT t.cancellation_requested
                           AND jsonb_typeof(g.detail) = 'object' AND pg_column_size(g.detail) <= _limit THEN NULL
                      ELSE judge_attempt(g.task_id, g.lease, g.rank, g.outcome, coalesce(g.detail, '{}'),
                                         end_attempts.worker_id, end_attempts.at) END AS verdict
          FROM (SELECT d.*, row_number() OVER (PARTITION BY d.task_id ORDER BY d.lease)::integer AS rank
                FROM (SELECT DISTINCT ON (u.task_id, u.lease) u.*
                      FROM unnest(end_attempts.task_ids, end_attempts.leases, end_attempts.outcomes, end_attempts.details)
                           AS u (task_id, lease, outcome, detail)
                      ORDER BY u.task_id, u.lease) d) g
          LEFT JOIN LATERAL (SELECT b.task_type, b.subject, b.version, b.attempt, b.correlation_id, b.lease, b.cancellation_requested
                             FROM background_tasks b WHERE b.task_id = g.task_id FOR UPDATE) t ON true
          OFFSET 0) x;

    IF end_attempts.records IS NOT NULL THEN
        _records := accepted_records(end_attempts.records, ARRAY(
            SELECT ROW(u.task_id, NULL, u.outcome, NULL,
                       ROW(NULL, NULL, NULL, NULL, NULL, NULL, u.correlation_id)::transition)::verdict
            FROM unnest(_task_ids, _outcomes, _changes)
                 AS u (task_id, outcome, changed, task_type, subject, version, type, data, correlation_id)));
    END IF;
    IF _missing THEN
        _changes := ARRAY(SELECT c FROM unnest(_changes) c WHERE c.type IS NOT NULL);
    END IF;
    PERFORM append_transitions(_changes, _records, coalesce(end_attempts.actor, 'worker:' || end_attempts.worker_id), end_attempts.at);
    IF end_attempts.ring THEN
        PERFORM ring_doorbell('annals_tasks', q.queue || '!')
        FROM (SELECT DISTINCT b.queue FROM unnest(_task_ids, _outcomes) AS u (task_id, outcome)
              JOIN background_tasks b ON b.task_id = u.task_id
              WHERE u.outcome IN ('released', 'snoozed', 'retry_scheduled')) q;
    END IF;
    RETURN QUERY SELECT u.task_id, u.outcome FROM unnest(_task_ids, _outcomes) AS u (task_id, outcome);
END $$;
