-- What changed lately, by type of event?
SELECT e.type, count(*) AS events,
       min(e.recorded_at)::timestamptz(0) AS first, max(e.recorded_at)::timestamptz(0) AS last
FROM events e
WHERE e.position > (SELECT position_at(now() - interval :'since'))
GROUP BY e.type
ORDER BY events DESC, e.type;
