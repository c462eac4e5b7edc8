-- When the two ends of a stretch were recorded (null before the first event), and how many events lie in between.
SELECT (SELECT e.recorded_at FROM events e WHERE e.position <= $1 ORDER BY e.position DESC LIMIT 1) AS earlier_at,
       (SELECT e.recorded_at FROM events e WHERE e.position <= $2 ORDER BY e.position DESC LIMIT 1) AS later_at,
       (SELECT count(*) FROM events e WHERE e.position > $1 AND e.position <= $2) AS events
