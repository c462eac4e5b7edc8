SELECT delivery_id, outcome, sequence, position FROM redeliver($1, $2, $3, $4)
