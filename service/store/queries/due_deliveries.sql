SELECT delivery_id, endpoint, url, sequence, attempts, failures, next_attempt_at, endpoint_status, api_key, task_id, agent_id, body,
       correlation_id, trace
FROM due_deliveries($1, $2, $3, $4, $5)
