SELECT count_events($1, $2, $3, $4)
