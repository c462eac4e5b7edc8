SELECT t.attempt, t.recorded_at, t.delivered, t.http_status, t.error, t.latency_ms, t.next_delay_ms, t.probe, t.position
FROM (SELECT (e.data ->> 'attempt')::integer AS attempt, e.recorded_at, e.type = 'webhook.delivered' AS delivered,
             (e.data ->> 'http_status')::integer AS http_status, e.data ->> 'error' AS error,
             (e.data ->> 'latency_ms')::double precision AS latency_ms,
             (e.data ->> 'next_delay_ms')::double precision AS next_delay_ms,
             coalesce((e.data ->> 'probe')::boolean, false) AS probe, e.position
      FROM events e
      WHERE e.stream_type = 'webhook' AND e.stream_id = $1 AND e.type IN ('webhook.attempt_failed', 'webhook.delivered')
      ORDER BY e.version DESC
      LIMIT $2) t
ORDER BY t.position
