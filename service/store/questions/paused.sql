-- What is paused, since when, by whom, and how much waits for it?
SELECT q.queue, date_trunc('second', now() - q.changed_at) AS paused_for, e.actor, q.reason,
       (SELECT count(*) FROM background_tasks t WHERE t.status = 'pending' AND t.queue = q.queue) AS pending
FROM queues q
CROSS JOIN LATERAL (
    SELECT e.actor FROM events e
    WHERE e.stream_type = 'queue' AND e.stream_id = q.queue
    ORDER BY e.version DESC LIMIT 1) e
WHERE q.paused
ORDER BY q.changed_at;
