SELECT advance_follower($1, $2, $3, $4, $5)
