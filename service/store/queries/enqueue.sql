SELECT ordinal, task_id, outcome, position, queue
FROM enqueue_tasks($1, $2, correlation_id => $3, causation_id => $4, trace => $5, request => $6, ring => $7,
                   correlation_ids => $8)
