SELECT r.relay_id, r.host, r.code_version, l.holder IS NOT DISTINCT FROM r.relay_id AND l.expires_at > clock_timestamp() AS leads,
       r.seen_at < clock_timestamp() - interval '10 seconds' AS silent, r.loop_lag_seconds::double precision AS loop_lag_seconds
FROM relays r CROSS JOIN relay_lease l
ORDER BY r.relay_id
