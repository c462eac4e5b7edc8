-- Jobs that PostgreSQL itself has left.
SELECT count(*) FROM bench_jobs
