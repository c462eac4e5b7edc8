-- The jobs $1 are done.
DELETE FROM bench_jobs WHERE id = ANY($1)
