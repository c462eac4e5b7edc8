SELECT set_agent_targets($1, $2, actor => $3, correlation_id => $4, trace => $5, ring => false)
