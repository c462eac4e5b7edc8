SELECT missing_task($1)
