SELECT agent_id, position
FROM create_agent($1, $2, $3, $4, $5, $6, $7, actor => $8, correlation_id => $9, trace => $10, request => $11, ring => false)
