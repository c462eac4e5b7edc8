SELECT position, stopped
FROM delete_agent($1, actor => $2, correlation_id => $3, trace => $4, ring => false)
