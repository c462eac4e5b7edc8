-- Silent is who left out three signs of life, and was not given up for dead.
SELECT w.worker_id, w.host, w.code_version, w.seen_at < clock_timestamp() - interval '15 seconds' AS silent,
       w.concurrency AS slots, w.busy_slots, w.loop_lag_seconds::double precision AS loop_lag_seconds,
       extract(epoch FROM clock_timestamp() - w.working_since)::double precision AS working_seconds
FROM workers w
WHERE w.status = 'live'
ORDER BY w.worker_id
