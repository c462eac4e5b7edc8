SELECT rewind_follower($1, $2, $3)
