SELECT DISTINCT ON (n.stream_id) n.stream_id, n.version, n.expected
FROM (SELECT e.stream_id, e.version, row_number() OVER (PARTITION BY e.stream_id ORDER BY e.position) AS expected
      FROM events e
      WHERE e.stream_type = $1 AND e.stream_id = ANY ($2::text[])) n
WHERE n.version <> n.expected
ORDER BY n.stream_id, n.expected
