-- When the last event at or before a position was recorded.
SELECT e.recorded_at FROM events e WHERE e.position <= $1 ORDER BY e.position DESC LIMIT 1
