SELECT pause_queue($1, $2, $3)
