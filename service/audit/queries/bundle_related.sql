WITH RECURSIVE own AS MATERIALIZED (
    SELECT e.position, e.causation_id, e.correlation_id FROM events e WHERE e.stream_type = 'task' AND e.stream_id = $1
), causes (position, causation_id) AS (
    SELECT e.position, e.causation_id FROM own o JOIN events e ON e.position = o.causation_id
    UNION
    SELECT e.position, e.causation_id FROM causes c JOIN events e ON e.position = c.causation_id
), effects AS (
    -- No index leads from a cause to its effects: they are looked for from the first event of the task to $2
    -- positions after its last one.
    SELECT e.position
    FROM events e
    WHERE e.position BETWEEN (SELECT min(o.position) FROM own o) AND (SELECT max(o.position) FROM own o) + $2
      AND (e.causation_id IN (SELECT o.position FROM own o)
           OR e.correlation_id IN (SELECT o.correlation_id FROM own o WHERE o.correlation_id IS NOT NULL))
)
SELECT e.position, e.stream_type, e.stream_id, e.version, e.type, e.data::text AS data, e.actor, e.correlation_id, e.causation_id, e.trace,
       e.recorded_at
FROM events e
WHERE e.position IN (SELECT c.position FROM causes c UNION SELECT f.position FROM effects f)
  AND NOT (e.stream_type = 'task' AND e.stream_id = $1)
ORDER BY e.position
LIMIT $3
