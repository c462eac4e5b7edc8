-- Depth of each queue by priority class: what could be claimed now, what waits for a time, what runs.
--
--   SELECT * FROM queue_depth WHERE queue = 'default';

CREATE VIEW queue_depth AS
SELECT l.queue,
       CASE l.class WHEN 1 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END AS class,
       coalesce(q.paused, false) AS paused,
       p.ready, p.waiting, r.running, p.oldest_ready_at
FROM (SELECT DISTINCT l.queue, l.class FROM lanes l) l
LEFT JOIN queues q ON q.queue = l.queue
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE t.ready_position IS NOT NULL OR t.run_at <= now()) AS ready,
           count(*) FILTER (WHERE t.ready_position IS NULL AND t.run_at > now()) AS waiting,
           min(coalesce(t.run_at, t.created_at)) FILTER (WHERE t.ready_position IS NOT NULL OR t.run_at <= now()) AS oldest_ready_at
    FROM lanes x JOIN background_tasks t ON t.lane = x.lane AND t.status = 'pending'
    WHERE x.queue = l.queue AND x.class = l.class) p
CROSS JOIN LATERAL (
    SELECT count(*) AS running
    FROM lanes x JOIN background_tasks t ON t.lane = x.lane AND t.status = 'running'
    WHERE x.queue = l.queue AND x.class = l.class) r;

COMMENT ON COLUMN queue_depth.queue IS 'The queue';
COMMENT ON COLUMN queue_depth.class IS 'high (priority 1-3), medium (4-7) or low (8-10)';
COMMENT ON COLUMN queue_depth.paused IS 'Nothing is claimed from it';
COMMENT ON COLUMN queue_depth.ready IS 'Tasks that could be claimed now';
COMMENT ON COLUMN queue_depth.waiting IS 'Tasks that wait for their run_at';
COMMENT ON COLUMN queue_depth.running IS 'Tasks that a worker holds';
COMMENT ON COLUMN queue_depth.oldest_ready_at IS 'Since when the oldest of the ready ones is ready';
