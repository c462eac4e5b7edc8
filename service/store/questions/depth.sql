-- How deep are the queues?
SELECT d.queue, d.class, d.paused, d.ready, d.waiting, d.running, date_trunc('second', now() - d.oldest_ready_at) AS oldest_waits
FROM queue_depth d
WHERE d.ready + d.waiting + d.running > 0
ORDER BY d.ready DESC, d.queue, d.class;
