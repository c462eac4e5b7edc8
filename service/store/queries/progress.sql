SELECT task_id, outcome
FROM progress_tasks($1, $2, $3, $4, $5, $6, $7, $8)
