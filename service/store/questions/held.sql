-- Is anything holding the followers back?
SELECT s.settled, (SELECT count(*) FROM events e WHERE e.position > s.settled) AS events_held,
       a.pid, a.role, a.state, date_trunc('second', a.open_for) AS open_for, left(a.query, 60) AS query
FROM (SELECT stable_position() AS settled) s
LEFT JOIN open_appends a ON true
ORDER BY a.held_position;
