SELECT fail_follower($1, $2)
