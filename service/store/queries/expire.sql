SELECT task_id, outcome
FROM expire_tasks($1, $2, actor => 'relay', relay_id => $3, term => $4)
