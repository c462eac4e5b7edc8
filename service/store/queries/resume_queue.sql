SELECT resume_queue($1, $2, $3)
