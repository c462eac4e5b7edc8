SELECT renew_worker($1)
