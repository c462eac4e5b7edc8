SELECT task_id, outcome, status, position
FROM cancel_tasks($1, $2, $3, $4, $5)
