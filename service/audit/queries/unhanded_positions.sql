-- Events at positions that the log's sequence has never given. The snapshot is older than the look at the
-- sequence, whoever appends. Two ranges of the key, because OR would read the whole log.
SELECT u.position, u.stream_type, u.stream_id, u.version, u.type
FROM (SELECT e.* FROM events e WHERE e.position < 1
      UNION ALL
      SELECT e.* FROM events e WHERE e.position > (SELECT coalesce(pg_sequence_last_value('events_position'), 0))) u
ORDER BY u.position
LIMIT 100
