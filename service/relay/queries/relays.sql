SELECT r.relay_id, r.host, r.pid, r.code_version, r.started_at, r.seen_at,
       l.holder = r.relay_id AND l.expires_at > clock_timestamp() AS leads,
       r.seen_at < clock_timestamp() - interval '10 seconds' AS silent
FROM relays r CROSS JOIN relay_lease l
ORDER BY r.relay_id
