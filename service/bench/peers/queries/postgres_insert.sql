-- One job for each text of $1.
INSERT INTO bench_jobs (payload) SELECT payload FROM unnest($1::jsonb[]) payload
