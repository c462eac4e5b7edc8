-- Tasks that had a row at a position and have none now: those that went with their agent.
--
-- What removes rows in other ways (retention) adds those tasks here; everything that reads the past asks this
-- function. created_at and enqueued_position are those of the row, to put it in its place in a list.
--
--   SELECT * FROM tasks_gone_since(1);

CREATE FUNCTION tasks_gone_since("position" bigint)
RETURNS TABLE (task_id text, created_at timestamptz, enqueued_position bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    SELECT DISTINCT born.stream_id, coalesce((born.data ->> 'occurred_at')::timestamptz, born.recorded_at), born.position
    FROM events gone
    JOIN events born ON born.type = 'task.enqueued' AND born.data ->> 'subject' LIKE 'agent:%'
                    AND born.data ->> 'subject' = 'agent:' || gone.stream_id AND born.position <= tasks_gone_since."position"
    WHERE gone.type = 'agent.deleted' AND gone.position > tasks_gone_since."position"
      AND NOT EXISTS (SELECT FROM events before
                      WHERE before.stream_type = 'agent' AND before.stream_id = gone.stream_id AND before.type = 'agent.deleted'
                        AND before.position > born.position AND before.position <= tasks_gone_since."position")
$$;
