SELECT name, position, lag_positions, lag_seconds, parked, failures, error FROM follower_lag ORDER BY name
