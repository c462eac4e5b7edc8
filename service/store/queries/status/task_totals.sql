SELECT task_type, max(enqueued) AS enqueued, max(started) AS started, max(completed) AS completed, max(retried) AS retried,
       max(failed) AS failed, max(timed_out) AS timed_out, max(cancelled) AS cancelled, max(rescued) AS rescued,
       max(duration_ms)::double precision AS duration_ms, max(wait_ms)::double precision AS wait_ms,
       highest_buckets(duration_buckets) AS durations, highest_buckets(wait_buckets) AS waits
FROM task_totals
GROUP BY task_type
ORDER BY task_type
