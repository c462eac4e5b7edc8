-- Nearly all attempts complete, as reported: what is not answered did.
SELECT task_id, outcome
FROM end_attempts($1, $2, $3, $4, $5, $6, $7, $8)
WHERE outcome <> 'completed'
