-- Asks for the webhooks of tasks that ended at these positions, each under its own id and the next number of its endpoint.
--
-- The follower calls it in the transaction of its checkpoint; what the log knows already is 'known', so that a
-- follower that goes over a stretch once more asks for nothing twice. With again, those that ended are requested
-- once more under the same id and number (redeliver, replay_webhooks). Outcomes: requested, skipped (recorded; takes no
-- number), known, pending (still being sent), disabled (nothing happens until the endpoint is resumed).
-- Numbers of an endpoint are given by one transaction at a time: without the lock two would give the same.
--
--   SELECT * FROM request_webhooks('{3}');

CREATE FUNCTION request_webhooks(
    positions bigint[],
    again     boolean     DEFAULT false,
    reason    text        DEFAULT NULL,
    actor     text        DEFAULT default_actor(),
    ring      boolean     DEFAULT true,
    at        timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (delivery_id text, event_position bigint, endpoint text, outcome text, sequence bigint, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _drafts webhook_draft[] := ARRAY(SELECT d FROM webhook_drafts(request_webhooks.positions) d);
    _plan   jsonb;
BEGIN
    IF _drafts = '{}' THEN
        RETURN;
    END IF;
    -- In the order of the keys themselves, which of two endpoints may be one.
    PERFORM pg_advisory_xact_lock(hashtext('annals_webhooks'), x.key)
    FROM (SELECT DISTINCT hashtext(coalesce(d.endpoint, '')) AS key FROM unnest(_drafts) d ORDER BY 1) x;
    -- Heads before rows, as a repair takes them. Whatever is drafted has a head, or gets its first event below.
    PERFORM lock_streams(ARRAY(SELECT ROW('webhook', d.delivery_id, NULL, NULL, NULL, NULL, NULL, NULL)::event_draft FROM unnest(_drafts) d));
    PERFORM FROM webhook_deliveries w WHERE w.delivery_id = ANY (ARRAY(SELECT d.delivery_id FROM unnest(_drafts) d))
    ORDER BY w.delivery_id FOR UPDATE;
    WITH judged AS (
        SELECT d.*, s.first_position, s.first_at, s.sequence AS number, s.attempts, s.redeliveries,
               CASE WHEN NOT coalesce(s.ended, true) THEN CASE WHEN request_webhooks.again THEN 'pending' ELSE 'known' END
                    WHEN s.delivery_id IS NOT NULL AND NOT request_webhooks.again THEN 'known'
                    WHEN d.endpoint IS NOT NULL AND n.status IS DISTINCT FROM 'disabled' THEN 'requested'
                    WHEN s.delivery_id IS NULL THEN 'skipped' ELSE 'disabled' END AS outcome,
               CASE WHEN d.endpoint IS NULL THEN 'the URL is none' ELSE concat_ws(': ', 'the endpoint is disabled', n.reason) END AS obstacle
        FROM unnest(_drafts) d
        LEFT JOIN webhooks_so_far(ARRAY(SELECT u.delivery_id FROM unnest(_drafts) u)) s USING (delivery_id)
        LEFT JOIN webhook_endpoints n ON n.endpoint = d.endpoint),
    numbered AS (
        SELECT j.*, CASE WHEN j.outcome = 'requested' THEN coalesce(j.number, last_webhook_number(j.endpoint)
                       + count(*) FILTER (WHERE j.outcome = 'requested' AND j.number IS NULL)
                         OVER (PARTITION BY j.endpoint ORDER BY j.event_position)) END AS sequence
        FROM judged j)
    SELECT jsonb_agg(to_jsonb(n) ORDER BY n.event_position) INTO _plan FROM numbered n;
    RETURN QUERY
        WITH plan AS (
            SELECT row_number() OVER (PARTITION BY p.outcome IN ('requested', 'skipped') ORDER BY p.event_position) AS ordinal, p.*
            FROM jsonb_to_recordset(_plan) AS p (
                delivery_id text, event_position bigint, event_type text, task_id text, task_type text, url text, endpoint text,
                api_key text, correlation_id text, trace text, first_position bigint, first_at timestamptz, attempts integer,
                redeliveries integer, outcome text, obstacle text, sequence bigint)),
        appended AS (
            SELECT a.* FROM append_events(ARRAY(
                SELECT ROW('webhook', p.delivery_id, 'webhook.' || p.outcome, jsonb_strip_nulls(jsonb_build_object(
                               'url', p.url, 'endpoint', p.endpoint, 'sequence', p.sequence, 'task_id', p.task_id,
                               'task_type', p.task_type, 'event_position', p.event_position, 'event_type', p.event_type,
                               'api_key', p.api_key,
                               'reason', CASE p.outcome WHEN 'skipped' THEN p.obstacle ELSE request_webhooks.reason END)
                               || CASE WHEN p.first_position IS NULL THEN '{}' ELSE jsonb_build_object(
                                      'redelivery', p.redeliveries + 1, 'first_position', p.first_position,
                                      'first_at', json_time(p.first_at), 'attempts_before', p.attempts) END),
                           p.correlation_id, p.event_position, p.trace, NULL)::event_draft
                FROM plan p WHERE p.outcome IN ('requested', 'skipped') ORDER BY p.ordinal),
                request_webhooks.actor, request_webhooks.at) a)
        SELECT p.delivery_id, p.event_position, p.endpoint, p.outcome, p.sequence, a.position
        FROM plan p LEFT JOIN appended a ON a.ordinal = p.ordinal AND p.outcome IN ('requested', 'skipped')
        ORDER BY p.event_position;
    IF request_webhooks.ring THEN
        PERFORM ring_doorbell('annals_webhooks');
    END IF;
END $$;
