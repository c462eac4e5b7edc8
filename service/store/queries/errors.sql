-- Groups of the stretch ($1, $2]; $3..$6 filter when given; by occurrences when $7, else by the last one.
-- ($8, $9) is the place after which the page starts; $10 rows.
SELECT g.fingerprint, g.task_type, g.error_type, g.pattern, g.frame, g.state, g.occurrences, g.tasks, g.retried, g.final,
       g.first_position, g.first_seen_at, g.last_position, g.last_seen_at, g.last_task_id, g.last_attempt, g.last_message
FROM errors_between($1, $2) g
CROSS JOIN LATERAL (SELECT CASE WHEN $7::boolean THEN g.occurrences ELSE g.last_position END AS rank) r
WHERE ($3::text IS NULL OR g.fingerprint = $3)
  AND ($4::text[] IS NULL OR g.task_type = ANY ($4))
  AND ($5::text[] IS NULL OR g.state = ANY ($5))
  AND ($6::text IS NULL OR strpos(lower(concat_ws(' ', g.fingerprint, g.error_type, g.last_message, g.pattern, g.frame)), lower($6)) > 0)
  AND ($8::bigint IS NULL OR (r.rank, g.fingerprint) < ($8, $9::text))
ORDER BY r.rank DESC, g.fingerprint DESC
LIMIT $10
