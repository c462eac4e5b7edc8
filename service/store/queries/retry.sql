SELECT task_id, outcome, status, position
FROM retry_tasks($1, $2, $3, $4, $5)
