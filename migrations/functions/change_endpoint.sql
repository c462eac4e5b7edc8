-- Pauses, resumes or disables an endpoint of webhooks: active, paused or disabled, and why.
--
-- What waits for a paused one is kept, and goes out in order when it is resumed; for a disabled one nothing is
-- requested any more (webhook.skipped), and what waited stays until it is active again. outcome: changed, unchanged. relay_id
-- and term prove that the relay leads, when it is the relay that decides.
--
--   SELECT * FROM change_endpoint('https://example.com/hook', 'paused', 'they deploy');

CREATE FUNCTION change_endpoint(
    endpoint text,
    status   text,
    reason   text,
    actor    text        DEFAULT default_actor(),
    relay_id text        DEFAULT NULL,
    term     bigint      DEFAULT NULL,
    ring     boolean     DEFAULT true,
    at       timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (outcome text, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    _endpoint text := webhook_endpoint(change_endpoint.endpoint);
    _draft    event_draft;
BEGIN
    IF change_endpoint.relay_id IS NOT NULL THEN
        PERFORM require_lease(change_endpoint.relay_id, change_endpoint.term);
    END IF;
    IF _endpoint IS NULL OR coalesce(change_endpoint.status, '') NOT IN ('active', 'paused', 'disabled') THEN
        RAISE EXCEPTION 'an endpoint is an http(s) URL, and becomes active, paused or disabled'
            USING ERRCODE = 'AN422', HINT = 'Those that receive webhooks: SELECT DISTINCT endpoint FROM webhook_deliveries.';
    END IF;
    _draft := ROW('endpoint', _endpoint, CASE change_endpoint.status WHEN 'active' THEN 'endpoint.resumed' ELSE 'endpoint.' || change_endpoint.status END,
                  jsonb_strip_nulls(jsonb_build_object('endpoint', _endpoint, 'reason', change_endpoint.reason)), NULL, NULL, NULL, NULL);
    FOR _look IN 1 .. 2 LOOP
        -- Looked at before its head is locked too: an endpoint that nothing ever happened to has none.
        IF change_endpoint.status = coalesce((SELECT n.status FROM webhook_endpoints n WHERE n.endpoint = _endpoint), 'active') THEN
            RETURN QUERY SELECT 'unchanged', NULL::bigint;
            RETURN;
        END IF;
        PERFORM lock_streams(ARRAY[_draft]);
    END LOOP;
    RETURN QUERY SELECT 'changed', a.position FROM append_events(ARRAY[_draft], change_endpoint.actor, change_endpoint.at) a;
    IF change_endpoint.ring THEN
        PERFORM ring_doorbell('annals_webhooks');
    END IF;
END $$;
