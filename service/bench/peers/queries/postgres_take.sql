-- The 100 jobs that wait longest.
UPDATE bench_jobs SET taken = true
WHERE id IN (SELECT id FROM bench_jobs WHERE NOT taken ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)
RETURNING id, payload
