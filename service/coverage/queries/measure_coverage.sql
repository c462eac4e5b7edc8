SELECT task_id, position
FROM measure_coverage($1, $2, $3, $4, $5, actor => $6, correlation_id => $7, trace => $8, request => $9, ring => false)
