SELECT delivery_id, outcome, position FROM end_delivery_attempts($1, $2, $3, $4, $5, $6)
