-- The stretch of the log between two times, and the times as they bound it: none lies before the first event.
SELECT CASE WHEN $1::timestamptz IS NULL THEN 0 ELSE position_at($1) END AS "after",
       CASE WHEN $2::timestamptz IS NOT NULL THEN position_at($2) END AS "until",
       greatest($1, (SELECT e.recorded_at FROM events e ORDER BY e.position LIMIT 1)) AS "from",
       coalesce($2, now()) AS "to"
