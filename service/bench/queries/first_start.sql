-- When the first attempt of all began.
SELECT min(recorded_at) FROM events WHERE type = 'task.started'
