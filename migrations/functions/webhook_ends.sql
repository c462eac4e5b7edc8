-- Where tasks with a webhook ended, in (after, until]: positions, in order. What the follower of webhooks looks for.
--
-- Each end costs a look into the small index of tasks that have one; the events themselves are not read further.
--
--   SELECT webhook_ends(0, 1000);

CREATE FUNCTION webhook_ends("after" bigint, until bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
    SELECT e.position FROM events e
    WHERE e.position > webhook_ends."after" AND e.position <= webhook_ends.until AND e.stream_type = 'task'
      AND e.type IN ('task.completed', 'task.failed', 'task.timed_out', 'task.cancelled')
      AND EXISTS (SELECT FROM events born WHERE born.type = 'task.enqueued' AND born.data ? 'webhook_url'
                  AND born.stream_id = e.stream_id OFFSET 0)
    ORDER BY e.position
$$;
