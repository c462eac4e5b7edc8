SELECT type, max(events) AS events, max(latency_ms)::double precision AS latency_ms, highest_buckets(latency_buckets) AS latencies
FROM event_totals
GROUP BY type
ORDER BY type
