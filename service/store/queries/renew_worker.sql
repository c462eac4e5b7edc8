SELECT renew_worker($1, busy_slots => $2, loop_lag_seconds => $3, working_seconds => $4)
