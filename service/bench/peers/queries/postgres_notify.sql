-- In a transaction that writes nothing: those that write do not wait for each other.
NOTIFY bench_jobs
