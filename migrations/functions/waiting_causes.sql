-- Why a pending task is not running, as far as facts tell: every true cause, the one that matters first.
--
-- A pure function of waiting_facts, so that the same facts give the same sentence everywhere. blocked means that
-- time alone does not help: somebody has to do something.
--
--   SELECT c.* FROM background_tasks t, waiting_causes(waiting_facts(t)) c WHERE t.task_id = 'task-waiting' ORDER BY c.rank;

CREATE FUNCTION waiting_causes(facts jsonb) RETURNS TABLE (rank bigint, reason text, blocked boolean, sentence text)
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    WITH said AS (
        SELECT facts ->> 'queue' AS queue, facts -> 'workers' AS workers,
               (facts #>> '{workers,free}')::bigint AS free, facts ->> 'pause' IS NOT NULL AS paused,
               spoken_span((facts #>> '{pause,seconds}')::float8) AS paused_for,
               spoken_span((facts ->> 'due_in_seconds')::float8) AS due_in,
               (facts ->> 'claimable_seconds')::float8 AS claimable,
               (facts #>> '{ahead,tasks}')::bigint AS ahead,
               spoken_span((facts #>> '{ahead,estimated_seconds}')::float8) AS turn_in,
               spoken_span((facts #>> '{workers,last,seconds_ago}')::float8) AS last_seen,
               spoken_span((facts #>> '{workers,longest_running,seconds}')::float8) AS longest,
               (facts #>> '{database,longest_transaction,seconds}')::float8 AS transaction)
    SELECT row_number() OVER (ORDER BY c.place), c.reason, c.blocked, c.sentence
    FROM (SELECT c.*, bool_or(c.reason <> 'claimable') OVER () AS has_cause
          FROM said s CROSS JOIN LATERAL (VALUES
            (1, 'queue_paused', true, s.paused,
                format('Waits for the pause of queue ''%s'' to end: paused %s ago by %s%s.', s.queue, s.paused_for,
                       facts #>> '{pause,actor}', ' (''' || (facts #>> '{pause,reason}') || ''')')),
            (2, 'not_due', false, s.due_in IS NOT NULL,
                format(CASE facts ->> 'queued_by'
                           WHEN 'task.retry_scheduled' THEN 'Waits to be tried again in %s, at %s: failure %s of at most %s was ''%s''.'
                           WHEN 'task.snoozed' THEN 'Waits because its handler put it off: due in %s, at %s.'
                           ELSE 'Waits for its time: due in %s, at %s.' END,
                       s.due_in, to_char((facts ->> 'run_at')::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'),
                       facts ->> 'failures', facts ->> 'max_attempts', facts ->> 'queued_because')),
            (3, 'no_worker', true, s.workers ->> 'serving' = '0',
                format('No live worker serves task type ''%s'' in queue ''%s''; %s.', facts ->> 'task_type', s.queue,
                       CASE WHEN s.last_seen IS NOT NULL
                            THEN format('the last one that did, %s, was seen %s ago (%s)', s.workers #>> '{last,worker_id}', s.last_seen,
                                        concat_ws(': ', s.workers #>> '{last,status}', s.workers #>> '{last,reason}'))
                            WHEN s.workers -> 'others' <> '[]' THEN 'those that live serve other queues or types'
                            ELSE 'none is live at all' END)),
            (4, 'slots_busy', false, s.workers ->> 'serving' <> '0' AND s.free = 0,
                format('Waits for a slot: %1$s of %1$s are taken on %2$s, by %3$s; the longest has been running for %4$s.', s.workers ->> 'slots',
                       counted((s.workers ->> 'serving')::bigint, 'worker', 'workers'),
                       (SELECT string_agg(r.value || ' ' || r.key, ', ' ORDER BY r.value::bigint DESC, r.key)
                        FROM jsonb_each_text(s.workers -> 'running_types') r), s.longest)),
            (5, 'tasks_ahead', false, s.ahead > 0,
                format('Waits for its turn: %s%s ahead of it in queue ''%s''; %s.',
                       CASE WHEN NOT (facts #>> '{ahead,exact}')::boolean THEN 'about ' END,
                       counted(s.ahead, 'task is', 'tasks are'), s.queue,
                       coalesce(trim_scale(round((facts #>> '{ahead,per_minute}')::numeric, 1))
                                || ' a minute start, so about ' || s.turn_in, 'none was started lately'))),
            (6, 'not_claimed', true, s.free > 0 AND NOT s.paused AND s.claimable > 5,
                format('Nobody claims it, although it could be claimed for %s and %s free: %s.', spoken_span(s.claimable),
                       counted(s.free, 'slot is', 'slots are'),
                       CASE WHEN s.transaction > 5 THEN format('a transaction has been open for %s (pid %s), which slows claims down',
                                spoken_span(s.transaction), facts #>> '{database,longest_transaction,pid}')
                            ELSE 'look at the logs of its workers' END)),
            (7, 'claimable', false, true,
                format('Can be claimed now: %s free, it goes with the next poll.', counted(s.free, 'slot is', 'slots are'))))
            AS c (place, reason, blocked, is_true, sentence)
          WHERE c.is_true) c
    WHERE c.place < 7 OR NOT c.has_cause
$$;
