SELECT update_agent($1, $2, actor => $3, correlation_id => $4, trace => $5, ring => false)
