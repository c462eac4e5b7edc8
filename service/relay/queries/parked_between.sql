SELECT position FROM parked_events WHERE follower = $1 AND position > $2 AND position <= $3
