-- How often each group $1 occurred in ($2, $3], in $6 equal parts of the time from $4 to $5.
SELECT a.fingerprint,
       greatest(1, least($6, width_bucket(extract(epoch FROM a.ended_at), extract(epoch FROM $4::timestamptz),
                                          extract(epoch FROM $5::timestamptz) + 1, $6::integer))) AS part,
       count(*) AS occurrences
FROM task_attempts a
WHERE a.fingerprint = ANY ($1::text[]) AND a.ended_position > $2::bigint
  AND a.ended_position <= coalesce($3::bigint, 9223372036854775807)
GROUP BY 1, 2
