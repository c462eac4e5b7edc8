SELECT position, quiet_until FROM open_follower($1, $2)
