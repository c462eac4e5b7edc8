-- Tasks that had a row at a position and have none now: those that went with their agent, and by retention.
--
-- Everything that reads the past asks this function. With statuses, batches of retention are left out whose tasks
-- were already over at the position, in another status; with newer_than those of which depth marks tell that all
-- their tasks were created before: a page of a list is full with newer ones. Those that retention took are found in the stretches of
-- the log in which they last changed. created_at and enqueued_position are those of the row, to put it in its
-- place in a list.
--
--   SELECT * FROM tasks_removed_since(1);

CREATE FUNCTION tasks_removed_since("position" bigint, statuses text[] DEFAULT NULL, newer_than timestamptz DEFAULT NULL)
RETURNS TABLE (task_id text, created_at timestamptz, enqueued_position bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
    WITH gone AS (
        SELECT born.stream_id, born.position, born.recorded_at, born.data
        FROM events ended
        JOIN events born ON born.type = 'task.enqueued' AND born.data ->> 'subject' LIKE 'agent:%'
                        AND born.data ->> 'subject' = 'agent:' || ended.stream_id AND born.position <= tasks_removed_since."position"
        WHERE ended.type = 'agent.deleted' AND ended.position > tasks_removed_since."position"
          AND NOT EXISTS (SELECT FROM events before
                          WHERE before.stream_type = 'agent' AND before.stream_id = ended.stream_id AND before.type = 'agent.deleted'
                            AND before.position > born.position AND before.position <= tasks_removed_since."position")
          AND coalesce(retention_of_task(born.stream_id) > tasks_removed_since."position", true)
        UNION ALL
        SELECT born.stream_id, born.position, born.recorded_at, born.data
        FROM events batch
        JOIN retention_whats() w ON w.what = batch.data ->> 'what' AND w.table_name = 'background_tasks'
        CROSS JOIN LATERAL retention_events(
            w.what, (batch.data ->> 'from_position')::bigint, (batch.data ->> 'up_to_position')::bigint) changed
        JOIN events born ON born.stream_type = 'task' AND born.stream_id = changed.stream_id AND born.version = 1
                        AND born.position <= tasks_removed_since."position"
        WHERE batch.type = 'retention.applied' AND batch.position > tasks_removed_since."position"
          AND (tasks_removed_since.statuses IS NULL OR tasks_removed_since.statuses && w.statuses
               OR (batch.data ->> 'up_to_position')::bigint > tasks_removed_since."position")
          AND (tasks_removed_since.newer_than IS NULL
               OR coalesce((SELECT m.newest_created_at FROM depth_marks m WHERE m.position >= (batch.data ->> 'up_to_position')::bigint
                            ORDER BY m.position LIMIT 1), 'infinity') >= tasks_removed_since.newer_than)
          AND NOT EXISTS (SELECT FROM events later WHERE later.stream_type = 'task' AND later.stream_id = changed.stream_id
                          AND later.version = changed.version + 1)
          AND coalesce(status_after(changed.type),
                       (SELECT status_after(e.type) FROM events e
                        WHERE e.stream_type = 'task' AND e.stream_id = changed.stream_id AND status_after(e.type) IS NOT NULL
                        ORDER BY e.version DESC LIMIT 1)) = ANY (w.statuses)
          AND (born.data ->> 'subject' NOT LIKE 'agent:%' OR NOT born.data ? 'subject'
               OR NOT was_removed(changed.stream_id, tasks_removed_since."position")))
    SELECT DISTINCT g.stream_id, coalesce((g.data ->> 'occurred_at')::timestamptz, g.recorded_at), g.position
    FROM gone g
$$;
