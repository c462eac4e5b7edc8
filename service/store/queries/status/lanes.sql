-- What lies at the beginning of each lane: at most $1 tasks of each kind are counted, so that a full lane costs as
-- much as a short one. Since when: the event that put the task in its place, or its time.
SELECT l.queue, CASE l.class WHEN 1 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END AS class,
       sum(ready.tasks + due.tasks)::bigint AS claimable, sum(later.tasks)::bigint AS waiting,
       coalesce(extract(epoch FROM clock_timestamp() - min(oldest.since)), 0)::double precision AS oldest_seconds
FROM lanes l
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks FROM (
        SELECT FROM background_tasks t WHERE t.lane = l.lane AND t.status = 'pending' AND t.ready_position IS NOT NULL LIMIT $1) x) ready
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks FROM (
        SELECT FROM background_tasks t
        WHERE t.lane = l.lane AND t.status = 'pending' AND t.ready_position IS NULL AND t.run_at <= now() LIMIT $1) x) due
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks FROM (
        SELECT FROM background_tasks t
        WHERE t.lane = l.lane AND t.status = 'pending' AND t.ready_position IS NULL AND t.run_at > now() LIMIT $1) x) later
CROSS JOIN LATERAL (
    SELECT min(o.since) AS since FROM (
        (SELECT (SELECT e.recorded_at FROM events e WHERE e.position = t.ready_position) AS since
         FROM background_tasks t WHERE t.lane = l.lane AND t.status = 'pending' AND t.ready_position IS NOT NULL
         ORDER BY t.ready_position LIMIT 1)
        UNION ALL
        (SELECT t.run_at FROM background_tasks t
         WHERE t.lane = l.lane AND t.status = 'pending' AND t.ready_position IS NULL AND t.run_at <= now()
         ORDER BY t.run_at LIMIT 1)) o) oldest
GROUP BY l.queue, l.class
ORDER BY l.queue, l.class
