SELECT reply, position
FROM record_agent_query($1, $2, $3, $4, actor => $5, correlation_id => $6, trace => $7, request => $8, ring => false)
