-- Nearly all attempts complete, as reported: what is not answered did. The details come as text, which costs the
-- worker less than an array of jsonb.
SELECT task_id, outcome
FROM end_attempts($1, $2, $3, $4, $5::text[]::jsonb[], $6, $7, $8)
WHERE outcome <> 'completed'
