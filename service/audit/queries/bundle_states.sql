SELECT s.version, s.type, to_jsonb(s.state) AS state
FROM (SELECT e.version, e.type, task_state(e) OVER (ORDER BY e.version) AS state, max(e.version) OVER () AS newest
      FROM events e WHERE e.stream_type = 'task' AND e.stream_id = $1) s
WHERE s.type = 'task.started' OR s.version = s.newest
ORDER BY s.version
