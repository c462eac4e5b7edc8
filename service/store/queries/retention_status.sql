-- One kind of rows: how far it was walked, what is waiting after that (one batch is counted), and what is gone.
SELECT w.what, m.walked_to, (SELECT e.recorded_at FROM events e WHERE e.position <= m.walked_to ORDER BY e.position DESC LIMIT 1),
       p.removed, NOT p.done, coalesce(t.removed, 0), coalesce(t.batches, 0), t.applied_at
FROM retention_whats() w
CROSS JOIN LATERAL preview_retention(w.what, $2, $3) p
LEFT JOIN retention_totals t ON t.what = w.what
LEFT JOIN retention_marks m ON m.what = w.what AND w.stream_type IS NOT NULL
WHERE w.what = $1
