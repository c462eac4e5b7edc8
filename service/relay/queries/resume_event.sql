SELECT resume_event($1, $2, $3, actor => $4)
