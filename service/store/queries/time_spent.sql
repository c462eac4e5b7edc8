SELECT phase, seconds, share FROM task_time_spent($1, $2)
