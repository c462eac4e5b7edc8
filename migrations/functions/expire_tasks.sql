-- Ends attempts whose deadline has passed and whose worker did not end them itself, because it hangs or sleeps.
--
-- Judged as a worker's own report of a timeout is: a failure, retried or final by the task's policy. The caller names
-- what it has watched, task and lease. What is not so any more is left alone: it has ended, runs under another lease,
-- has time left, or somebody is writing it at this moment. The worker's own report comes too late then: it gets
-- 'lease_lost', and task.completion_refused records it. With relay_id and term, only the relay that leads may.
--
--   SELECT * FROM expire_tasks('{task-100000001}', '{2}');

CREATE FUNCTION expire_tasks(
    task_ids text[],
    leases   integer[],
    actor    text        DEFAULT default_actor(),
    ring     boolean     DEFAULT true,
    at       timestamptz DEFAULT clock_timestamp(),
    relay_id text        DEFAULT NULL,
    term     bigint      DEFAULT NULL
) RETURNS TABLE (task_id text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    _verdicts verdict[];
BEGIN
    IF expire_tasks.relay_id IS NOT NULL THEN
        PERFORM require_lease(expire_tasks.relay_id, expire_tasks.term);
    END IF;
    IF cardinality(expire_tasks.leases) IS DISTINCT FROM cardinality(expire_tasks.task_ids) THEN
        RAISE EXCEPTION 'task_ids and leases differ in length' USING ERRCODE = 'AN422',
            HINT = 'A lease for each task: SELECT task_id, lease FROM background_tasks WHERE status = ''running''.';
    END IF;
    -- In the order of the key; SKIP LOCKED: what somebody holds, its worker is perhaps about to end.
    SELECT array_agg(CASE WHEN t.worker_id IS NULL
               THEN ROW(g.task_id, g.lease, 'left_alone', NULL, NULL)::verdict
               ELSE judge_attempt(g.task_id, g.lease, 1, 'timed_out', '{}', t.worker_id, expire_tasks.at) END)
      INTO _verdicts
    FROM (SELECT DISTINCT ON (u.task_id) u.* FROM unnest(expire_tasks.task_ids, expire_tasks.leases) AS u (task_id, lease)
          ORDER BY u.task_id, u.lease DESC) g
    LEFT JOIN LATERAL (
        SELECT b.worker_id FROM background_tasks b
        WHERE b.task_id = g.task_id AND b.lease = g.lease
          AND b.started_at + make_interval(secs => b.timeout_seconds) <= expire_tasks.at
        FOR UPDATE SKIP LOCKED) t ON true;
    PERFORM append_transitions(
        ARRAY(SELECT v.change FROM unnest(_verdicts) v WHERE (v.change).type IS NOT NULL),
        '{}', expire_tasks.actor, expire_tasks.at);
    IF expire_tasks.ring THEN
        PERFORM ring_doorbell('annals_tasks', q.queue || '!')
        FROM (SELECT DISTINCT b.queue FROM unnest(_verdicts) v JOIN background_tasks b ON b.task_id = v.task_id
              WHERE v.outcome <> 'left_alone') q;
    END IF;
    RETURN QUERY SELECT v.task_id, v.outcome FROM unnest(_verdicts) v;
END $$;
