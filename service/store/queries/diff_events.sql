SELECT * FROM diff_events($1, $2)
