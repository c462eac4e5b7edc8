-- Who uses which API key?
SELECT coalesce(k.name, substr(u.actor, length('api:') + 1)) AS key, k.scopes, coalesce(u.events, 0) AS events,
       date_trunc('second', now() - u.last_at) AS last_ago, k.revoked_at IS NOT NULL AS revoked
FROM api_keys k
FULL JOIN (SELECT e.actor, count(*) AS events, max(e.recorded_at) AS last_at
           FROM events e
           WHERE e.actor LIKE 'api:%' AND e.position > (SELECT position_at(now() - interval :'since'))
           GROUP BY e.actor) u ON u.actor = 'api:' || k.name
ORDER BY events DESC, key;
