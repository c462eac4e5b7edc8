SELECT outcome, task_id, position, queue, error
FROM fire_schedule($1, due_at => $2, next_due_at => $3, version => $4, missed => $5, actor => $6, ring => $7,
                   relay_id => $8, term => $9, correlation_id => $10)
