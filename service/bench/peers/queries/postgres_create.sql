-- What a queue needs at the least: an order, a payload, and an index of what is waiting.
CREATE TABLE bench_jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL, taken boolean NOT NULL DEFAULT false);
CREATE INDEX bench_jobs_waiting ON bench_jobs (id) WHERE NOT taken
