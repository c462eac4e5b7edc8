-- Jobs that pg-boss has left.
SELECT count(*) FROM pgboss.job WHERE state < 'completed'
