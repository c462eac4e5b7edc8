SELECT leave_relay($1, $2)
