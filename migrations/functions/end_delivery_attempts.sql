-- Records what became of attempts to deliver webhooks: each failed one before the next is made.
--
-- attempts names the attempt, counted from 1 over the whole delivery: one that was recorded already, or belongs to
-- a delivery that has ended, is 'stale' and changes nothing. outcomes and details: delivered {http_status, latency_ms};
-- failed {http_status | error, latency_ms, next_delay_ms, probe, reason, disable}. A failed one without next_delay_ms
-- is the last: the delivery is abandoned for this reason. disable switches the endpoint off (410). Raises AN410 unless
-- the relay leads in this term.
--
--   SELECT * FROM end_delivery_attempts('{wh-1}', '{1}', '{delivered}', ARRAY['{"http_status": 200, "latency_ms": 12}']::jsonb[], 'relay-1', 1); -- ERROR: does not lead

CREATE FUNCTION end_delivery_attempts(
    delivery_ids text[],
    attempts     integer[],
    outcomes     text[],
    details      jsonb[],
    relay_id     text,
    term         bigint,
    at           timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (delivery_id text, outcome text, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _ended  jsonb;
    _drafts event_draft[];
BEGIN
    PERFORM require_lease(end_delivery_attempts.relay_id, end_delivery_attempts.term);
    IF num_nulls(end_delivery_attempts.delivery_ids, end_delivery_attempts.attempts, end_delivery_attempts.outcomes,
                 end_delivery_attempts.details) > 0
       OR NOT end_delivery_attempts.outcomes <@ ARRAY['delivered', 'failed']
       OR num_nulls(VARIADIC end_delivery_attempts.delivery_ids) + num_nulls(VARIADIC end_delivery_attempts.attempts)
          + num_nulls(VARIADIC end_delivery_attempts.outcomes) + num_nulls(VARIADIC end_delivery_attempts.details) > 0
       OR (cardinality(end_delivery_attempts.attempts), cardinality(end_delivery_attempts.outcomes), cardinality(end_delivery_attempts.details))
          <> (cardinality(end_delivery_attempts.delivery_ids), cardinality(end_delivery_attempts.delivery_ids),
              cardinality(end_delivery_attempts.delivery_ids)) THEN
        RAISE EXCEPTION 'delivery_ids, attempts, outcomes (delivered or failed) and details are lists of one length, without NULL'
            USING ERRCODE = 'AN422', HINT = 'details: {"http_status": 503, "latency_ms": 12, "next_delay_ms": 1000}';
    END IF;
    -- Tasks, heads of streams, rows of deliveries, as a repair takes them: a failed attempt is counted in the row of its task.
    PERFORM FROM background_tasks t
    WHERE t.task_id = ANY (ARRAY(SELECT w.task_id FROM webhook_deliveries w WHERE w.delivery_id = ANY (end_delivery_attempts.delivery_ids)))
    ORDER BY t.task_id FOR UPDATE;
    PERFORM lock_streams(ARRAY(
        SELECT ROW('webhook', w.delivery_id, NULL, NULL, NULL, NULL, NULL, NULL)::event_draft
        FROM webhook_deliveries w WHERE w.delivery_id = ANY (end_delivery_attempts.delivery_ids)));
    PERFORM FROM webhook_deliveries w WHERE w.delivery_id = ANY (end_delivery_attempts.delivery_ids) ORDER BY w.delivery_id FOR UPDATE;
    SELECT coalesce(jsonb_agg(to_jsonb(j) ORDER BY j.ordinal), '[]') INTO _ended FROM (
        SELECT u.ordinal, u.delivery_id, u.attempt, u.told, u.detail, w.task_id, w.endpoint, w.correlation_id, w.event_position,
               CASE WHEN w.delivery_id IS NULL THEN 'not_found'
                    WHEN w.status <> 'pending' OR u.attempt <> w.attempts + 1 OR u.again > 1 THEN 'stale' ELSE 'recorded' END AS outcome
        FROM (SELECT g.*, row_number() OVER (PARTITION BY g.delivery_id ORDER BY g.ordinal) AS again
              FROM unnest(end_delivery_attempts.delivery_ids, end_delivery_attempts.attempts, end_delivery_attempts.outcomes,
                          end_delivery_attempts.details) WITH ORDINALITY AS g (delivery_id, attempt, told, detail, ordinal)) u
        LEFT JOIN webhook_deliveries w ON w.delivery_id = u.delivery_id) j;
    _drafts := ARRAY(
        SELECT ROW(d.stream_type, d.stream_id, d.type, jsonb_strip_nulls(d.data), e.correlation_id, e.event_position, NULL, NULL)::event_draft
        FROM jsonb_to_recordset(_ended) AS e (
            ordinal integer, delivery_id text, attempt integer, told text, detail jsonb, task_id text, endpoint text,
            correlation_id text, event_position bigint, outcome text)
        CROSS JOIN LATERAL (VALUES
            (1, 'webhook', e.delivery_id, 'webhook.delivered', e.told = 'delivered', jsonb_build_object(
                'attempt', e.attempt, 'attempts', e.attempt, 'http_status', e.detail -> 'http_status')),
            (2, 'webhook', e.delivery_id, 'webhook.attempt_failed', e.told = 'failed', jsonb_build_object(
                'attempt', e.attempt, 'http_status', e.detail -> 'http_status', 'error', e.detail -> 'error',
                'next_delay_ms', e.detail -> 'next_delay_ms', 'probe', e.detail -> 'probe')),
            (3, 'webhook', e.delivery_id, 'webhook.abandoned', e.told = 'failed' AND e.detail -> 'next_delay_ms' IS NULL,
                jsonb_build_object('attempts', e.attempt, 'reason', coalesce(e.detail -> 'reason', '"no attempt is left"'))),
            (4, 'endpoint', e.endpoint, 'endpoint.disabled', e.told = 'failed' AND (e.detail -> 'disable')::boolean
                AND NOT EXISTS (SELECT FROM webhook_endpoints n WHERE n.endpoint = e.endpoint AND n.status = 'disabled'),
                jsonb_build_object('reason', coalesce(e.detail -> 'reason', '"it is gone for good"')))
        ) AS v (rank, stream_type, stream_id, type, happens, data)
        CROSS JOIN LATERAL (SELECT v.stream_type, v.stream_id, v.type,
                                   v.data || jsonb_build_object('task_id', CASE WHEN v.rank < 4 THEN e.task_id END, 'endpoint', e.endpoint,
                                                                'latency_ms', CASE WHEN v.rank < 3 THEN e.detail -> 'latency_ms' END) AS data) d
        WHERE e.outcome = 'recorded' AND v.happens
        ORDER BY e.ordinal, v.rank);
    RETURN QUERY
        WITH appended AS (
            SELECT (_drafts[a.ordinal]).stream_id, max(a.position) AS position
            FROM append_events(_drafts, 'relay', end_delivery_attempts.at) a
            WHERE (_drafts[a.ordinal]).stream_type = 'webhook' GROUP BY 1)
        SELECT e.delivery_id, e.outcome, CASE WHEN e.outcome = 'recorded' THEN a.position END
        FROM jsonb_to_recordset(_ended) AS e (ordinal integer, delivery_id text, outcome text)
        LEFT JOIN appended a ON a.stream_id = e.delivery_id
        ORDER BY e.ordinal;
END $$;
