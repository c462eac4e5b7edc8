-- Tasks that had a row at a position and have none now: those that went with their agent.
--
-- What removes rows in other ways (retention) adds the ids of those tasks here; everything that reads the
-- past asks this function.
--
--   SELECT tasks_gone_since(1);

CREATE FUNCTION tasks_gone_since("position" bigint) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    SELECT DISTINCT born.stream_id
    FROM events gone
    JOIN events born ON born.type = 'task.enqueued' AND born.data ->> 'subject' LIKE 'agent:%'
                    AND born.data ->> 'subject' = 'agent:' || gone.stream_id AND born.position <= tasks_gone_since."position"
    WHERE gone.type = 'agent.deleted' AND gone.position > tasks_gone_since."position"
      AND NOT went_with_agent(born.stream_id, tasks_gone_since."position")
$$;
