SELECT stop_worker($1, $2)
