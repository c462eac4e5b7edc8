-- Jobs that Graphile Worker has left: what is done leaves this table.
SELECT count(*) FROM graphile_worker._private_jobs
