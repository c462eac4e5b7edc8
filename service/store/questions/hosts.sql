-- Is one host slower than the others?
WITH recent AS (
    SELECT w.host, a.task_type, a.duration_ms
    FROM task_attempts a JOIN workers w USING (worker_id)
    WHERE a.outcome = 'completed' AND a.ended_at > now() - interval :'since'),
usual AS (
    SELECT r.task_type, percentile_cont(0.5) WITHIN GROUP (ORDER BY r.duration_ms) AS ms
    FROM recent r GROUP BY r.task_type),
by_host AS (
    SELECT r.task_type, r.host, count(*) AS attempts, percentile_cont(0.5) WITHIN GROUP (ORDER BY r.duration_ms) AS ms
    FROM recent r GROUP BY r.task_type, r.host)
SELECT h.host, h.task_type, h.attempts, round(h.ms) AS p50_ms, round(u.ms) AS usual_ms,
       round((h.ms / nullif(u.ms, 0))::numeric, 1) AS times_the_usual
FROM by_host h JOIN usual u USING (task_type)
ORDER BY times_the_usual DESC NULLS LAST, h.host, h.task_type;
