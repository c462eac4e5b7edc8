-- When the first attempt after position $1 began.
SELECT min(recorded_at) FROM events WHERE position > $1 AND type = 'task.started'
