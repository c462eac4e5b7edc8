-- Webhooks that may be sent now, the longest due first: of each endpoint the first ones, in order of their numbers.
--
-- Left out are those in open_ids, and endpoints in busy. Of a paused endpoint its first one, and only while it is in
-- probing; of a disabled one none. Endpoints are found one after the other in the index of what is pending, so a long
-- backlog of one that is paused is not read.
--
--   SELECT delivery_id, url, sequence, failures, body FROM due_deliveries();

CREATE FUNCTION due_deliveries(
    open_ids     text[]      DEFAULT '{}',
    busy         text[]      DEFAULT '{}',
    probing      text[]      DEFAULT '{}',
    per_endpoint integer     DEFAULT 4,
    "limit"      integer     DEFAULT 20,
    at           timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (
    delivery_id text, endpoint text, url text, sequence bigint, attempts integer, failures integer, next_attempt_at timestamptz,
    endpoint_status text, api_key text, task_id text, agent_id uuid, body text, correlation_id text, trace text)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off
AS $$
    WITH RECURSIVE waiting AS (
        (SELECT d.endpoint FROM webhook_deliveries d WHERE d.status = 'pending' ORDER BY d.endpoint LIMIT 1)
        UNION ALL
        SELECT (SELECT d.endpoint FROM webhook_deliveries d WHERE d.status = 'pending' AND d.endpoint > w.endpoint
                ORDER BY d.endpoint LIMIT 1)
        FROM waiting w WHERE w.endpoint IS NOT NULL),
    due AS MATERIALIZED (
        SELECT d.*, coalesce(n.status, 'active') AS endpoint_status
        FROM waiting w
        LEFT JOIN webhook_endpoints n ON n.endpoint = w.endpoint
        CROSS JOIN LATERAL (
            SELECT x.* FROM webhook_deliveries x
            WHERE x.status = 'pending' AND x.endpoint = w.endpoint AND x.delivery_id <> ALL (due_deliveries.open_ids)
              AND (x.next_attempt_at <= due_deliveries.at OR n.status = 'paused')
            ORDER BY x.sequence
            LIMIT CASE WHEN n.status = 'disabled' OR n.status = 'paused' AND w.endpoint <> ALL (due_deliveries.probing) THEN 0
                       WHEN n.status = 'paused' THEN 1 ELSE due_deliveries.per_endpoint END) d
        WHERE w.endpoint <> ALL (due_deliveries.busy)
        ORDER BY d.next_attempt_at, d.endpoint, d.sequence LIMIT due_deliveries."limit")
    SELECT d.delivery_id, d.endpoint, d.url, d.sequence, d.attempts, d.failures, d.next_attempt_at, d.endpoint_status, d.api_key,
           d.task_id, (b.body::jsonb ->> 'agent_id')::uuid, b.body, d.correlation_id, born.trace
    FROM due d
    CROSS JOIN LATERAL (SELECT webhook_body(d.event_position) AS body) b
    -- LIMIT keeps it a look-up for each: joined, and without statistics, the first events of all tasks are read.
    LEFT JOIN LATERAL (SELECT e.trace FROM events e
                       WHERE e.stream_type = 'task' AND e.stream_id = d.task_id AND e.version = 1 LIMIT 1) born ON true
    ORDER BY d.next_attempt_at, d.endpoint, d.sequence
$$;
