SELECT delivery_id, event_position, endpoint_of, task_id, status, outcome, position FROM replay_webhooks($1, $2, $3, $4, $5, $6, $7, $8, $9)
