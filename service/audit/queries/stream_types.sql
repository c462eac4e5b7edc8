-- A loose scan of the index of streams: one look for each type, however long the log is.
WITH RECURSIVE kinds AS (
    (SELECT e.stream_type FROM events e ORDER BY e.stream_type LIMIT 1)
    UNION ALL
    SELECT (SELECT e.stream_type FROM events e WHERE e.stream_type > k.stream_type ORDER BY e.stream_type LIMIT 1)
    FROM kinds k WHERE k.stream_type IS NOT NULL)
SELECT k.stream_type, k.stream_type = ANY (headed_stream_types()) AS headed
FROM kinds k WHERE k.stream_type IS NOT NULL
