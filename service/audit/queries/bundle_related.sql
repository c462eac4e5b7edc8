WITH RECURSIVE own AS MATERIALIZED (
    SELECT e.position, e.causation_id, e.correlation_id, e.type, lead(e.position) OVER (ORDER BY e.position) AS next_position
    FROM events e
    WHERE e.stream_type = 'task' AND e.stream_id = $1
), causes (position, causation_id) AS (
    SELECT e.position, e.causation_id FROM own o JOIN events e ON e.position = o.causation_id
    UNION
    SELECT e.position, e.causation_id FROM causes c JOIN events e ON e.position = c.causation_id
), effects AS (
    -- No index leads from a cause to its effects. They are looked for where they can be: up to $2 positions
    -- after each event of the task, and all the time while an attempt runs.
    SELECT f.position
    FROM own o
    CROSS JOIN LATERAL (
        SELECT e.position
        FROM events e
        WHERE e.position > o.position
          AND e.position < CASE WHEN o.type IN ('task.started', 'task.progressed', 'task.cancellation_requested', 'task.completion_refused')
                                THEN coalesce(o.next_position, o.position + $2)
                                ELSE least(o.next_position, o.position + $2) END
          AND (e.causation_id IN (SELECT c.position FROM own c)
               OR e.correlation_id IN (SELECT c.correlation_id FROM own c WHERE c.correlation_id IS NOT NULL))
    ) f
), found AS MATERIALIZED (
    -- Bounded before the rows are fetched, so that they are fetched one by one.
    SELECT c.position FROM causes c UNION SELECT f.position FROM effects f
    UNION SELECT w.position FROM deliveries_of_task($1) w ORDER BY position LIMIT $3
)
SELECT e.position, e.stream_type, e.stream_id, e.version, e.type, e.data::text AS data, e.actor, e.correlation_id, e.causation_id, e.trace,
       e.recorded_at
FROM found f
JOIN events e ON e.position = f.position
WHERE NOT (e.stream_type = 'task' AND e.stream_id = $1)
ORDER BY e.position
