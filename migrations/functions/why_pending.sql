-- Why a task is not running, in one sentence, with the facts: the first of all true causes; the others are in facts.
--
-- For a pending task, in this order: queue_paused, not_due, no_worker, slots_busy, tasks_ahead, not_claimed, claimable.
-- For others: running, completed, failed, timeout, cancelled, or gone. blocked means that time alone does not help.
-- Milliseconds however many tasks there are: counts are bounded, lists are short. Raises AN404.
--
--   SELECT status, blocked, reason, sentence FROM why_pending('task-waiting');

CREATE FUNCTION why_pending(INOUT task_id text, at timestamptz DEFAULT clock_timestamp(),
                            OUT status text, OUT blocked boolean, OUT reason text, OUT sentence text, OUT facts jsonb)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
DECLARE
    _task   background_tasks := (SELECT t FROM background_tasks t WHERE t.task_id = why_pending.task_id);
    _causes jsonb;
BEGIN
    why_pending.blocked := false;
    IF _task.status = 'pending' THEN
        why_pending.facts := waiting_facts(_task, why_pending.at);
        _causes := (SELECT jsonb_agg(jsonb_build_object('reason', c.reason, 'blocked', c.blocked, 'sentence', c.sentence) ORDER BY c.rank)
                    FROM waiting_causes(why_pending.facts) c);
        why_pending.facts := why_pending.facts || jsonb_build_object('causes', _causes);
        SELECT c.blocked, c.reason, c.sentence INTO why_pending.blocked, why_pending.reason, why_pending.sentence
        FROM jsonb_to_record(_causes -> 0) AS c (blocked boolean, reason text, sentence text);
    ELSIF _task.status = 'running' THEN
        why_pending.reason := 'running';
        SELECT w.sentence, w.facts INTO why_pending.sentence, why_pending.facts FROM why_running(_task, why_pending.at) w;
    ELSE
        SELECT w.status, w.sentence, w.facts INTO why_pending.reason, why_pending.sentence, why_pending.facts
        FROM why_over(why_pending.task_id, why_pending.at) w;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'Task not found: %', why_pending.task_id
                USING ERRCODE = 'AN404', HINT = 'Neither a row nor an event knows it; annals tasks list shows what there is.';
        END IF;
        why_pending.reason := CASE WHEN _task.task_id IS NULL THEN 'gone' ELSE why_pending.reason END;
    END IF;
    why_pending.status := _task.status;
END $$;
