-- $1 is the settled end, asked for before.
SELECT greatest((SELECT e.position FROM events e ORDER BY e.position DESC LIMIT 1), $1::bigint, 0) AS head, $1::bigint AS settled,
       pg_total_relation_size('events') AS bytes,
       coalesce((SELECT m.position FROM depth_marks m ORDER BY m.position DESC LIMIT 1), 0) AS marked,
       o.pid AS holder_pid, o.role AS holder_role, coalesce(extract(epoch FROM o.open_for), 0)::double precision AS held_seconds,
       current_setting('server_version') AS server_version, clock_timestamp() AS now
FROM (SELECT 1) one
LEFT JOIN LATERAL (SELECT a.pid, a.role::text AS role, a.open_for FROM open_appends a ORDER BY a.open_for DESC NULLS LAST LIMIT 1) o ON true
