SELECT count_task_events($1, $2, $3, $4)
