-- Jobs that PgQueuer has left: what is done leaves this table.
SELECT count(*) FROM pgqueuer
