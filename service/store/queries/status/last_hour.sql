-- What ended in this hour of the clock and the one before, from the counts by hour; workers lost in ten minutes.
SELECT since.hour AS since, coalesce(sum(c.completed), 0)::bigint AS completed, coalesce(sum(c.failed + c.timed_out), 0)::bigint AS failed,
       (SELECT coalesce(sum(e.events) FILTER (WHERE e.type = 'webhook.delivered'), 0)::bigint FROM event_counts e
        WHERE e.type IN ('webhook.delivered', 'webhook.attempt_failed') AND e.hour >= since.hour) AS delivered,
       (SELECT coalesce(sum(e.events) FILTER (WHERE e.type = 'webhook.attempt_failed'), 0)::bigint FROM event_counts e
        WHERE e.type IN ('webhook.delivered', 'webhook.attempt_failed') AND e.hour >= since.hour) AS failed_attempts,
       (SELECT count(*) FROM workers w WHERE w.status = 'lost' AND w.stopped_at > clock_timestamp() - interval '10 minutes') AS workers_lost
FROM (SELECT date_trunc('hour', clock_timestamp(), 'UTC') - interval '1 hour' AS hour) since
LEFT JOIN task_totals t ON NOT t.rewound
LEFT JOIN LATERAL (SELECT k.completed, k.failed, k.timed_out FROM task_counts k
                   WHERE k.task_type = t.task_type AND k.hour >= since.hour) c ON true
GROUP BY since.hour
