SELECT name, position, settled, lag_positions, lag_seconds, held_by_pid, quiet, parked, failures, error
FROM follower_lag
ORDER BY name
