SELECT queue, reason FROM queues WHERE paused ORDER BY queue
