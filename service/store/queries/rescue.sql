SELECT task_id, outcome
FROM rescue_tasks($1, $2, $3, $4, $5, last_change => $6)
