-- How many events does each day add, and how big is the log?
WITH days AS (
    SELECT d AS day, position_at(d + interval '1 day') - position_at(d) AS events
    FROM generate_series(date_trunc('day', now()) - interval '6 days', now(), interval '1 day') d),
log AS (SELECT pg_total_relation_size('events') AS bytes, nullif(stable_position(), 0) AS events)
SELECT days.day::date, days.events, pg_size_pretty(days.events * log.bytes / log.events) AS about,
       pg_size_pretty(log.bytes) AS whole_log, log.events AS all_events
FROM days CROSS JOIN log
ORDER BY days.day DESC;
