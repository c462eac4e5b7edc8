SELECT * FROM diff_queues($1, $2)
