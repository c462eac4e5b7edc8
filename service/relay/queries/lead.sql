SELECT leads_term, holder, free_in_seconds
FROM lead_relay($1, $2, $3, term => $4, lease_seconds => $5, code_version => $6, loop_lag_seconds => $7)
