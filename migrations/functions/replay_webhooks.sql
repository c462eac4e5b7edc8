-- Sends the webhooks of a stretch of the log again: of all tasks with a webhook that ended in (from_position, to_position].
--
-- A person repairs a receiver that lost some. status is what it was before; with dry_run nothing happens, and outcome
-- tells what would. At most "limit" rows, in order: call again after the last event_position. Raises AN422, AN409.
--
--   SELECT * FROM replay_webhooks(0, 1);

CREATE FUNCTION replay_webhooks(
    from_position bigint,
    to_position   bigint,
    endpoint      text        DEFAULT NULL,
    statuses      text[]      DEFAULT NULL,
    dry_run       boolean     DEFAULT true,
    "limit"       integer     DEFAULT 500,
    reason        text        DEFAULT NULL,
    actor         text        DEFAULT default_actor(),
    ring          boolean     DEFAULT true,
    at            timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (delivery_id text, event_position bigint, endpoint_of text, task_id text, status text, outcome text, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    _stretch constant bigint := 2000;
    _place   bigint := replay_webhooks.from_position;
    _found   jsonb  := '[]';
BEGIN
    PERFORM require_stretch(replay_webhooks.from_position, replay_webhooks.to_position);
    IF num_nulls(replay_webhooks."limit", replay_webhooks.dry_run) > 0 OR NOT replay_webhooks."limit" BETWEEN 1 AND 1000
       OR NOT replay_webhooks.statuses <@ ARRAY['delivered', 'abandoned', 'skipped', 'unknown'] THEN
        RAISE EXCEPTION 'a replay needs dry_run, a limit of 1 to 1000, and statuses of delivered, abandoned, skipped, unknown'
            USING ERRCODE = 'AN422', HINT = 'unknown are those that were not requested yet, or are gone from the list.';
    ELSIF replay_webhooks.endpoint IS NOT NULL AND webhook_endpoint(replay_webhooks.endpoint) IS NULL THEN
        RAISE EXCEPTION 'not an endpoint: %', replay_webhooks.endpoint
            USING ERRCODE = 'AN422', HINT = 'Those that receive webhooks: SELECT DISTINCT endpoint FROM webhook_deliveries.';
    END IF;
    -- Stretch by stretch: a replay of the whole log ends with the stretch that fills the page.
    WHILE jsonb_array_length(_found) < replay_webhooks."limit" AND _place < replay_webhooks.to_position LOOP
        SELECT _found || coalesce(jsonb_agg(to_jsonb(f) ORDER BY f.event_position), '[]') INTO _found FROM (
            SELECT d.delivery_id, d.event_position, d.endpoint, d.task_id, coalesce(w.status, 'unknown') AS status,
                   (SELECT h.version FROM stream_heads h WHERE h.stream_type = 'webhook' AND h.stream_id = d.delivery_id) > 0 AS known
            FROM webhook_drafts(ARRAY(SELECT webhook_ends(_place, least(_place + _stretch, replay_webhooks.to_position)))) d
            LEFT JOIN LATERAL (SELECT x.status FROM webhook_deliveries x WHERE x.delivery_id = d.delivery_id OFFSET 0) w ON true
            WHERE (replay_webhooks.endpoint IS NULL OR d.endpoint = webhook_endpoint(replay_webhooks.endpoint))
              AND (replay_webhooks.statuses IS NULL OR coalesce(w.status, 'unknown') = ANY (replay_webhooks.statuses))
            ORDER BY d.event_position LIMIT replay_webhooks."limit" - jsonb_array_length(_found)) f;
        _place := _place + _stretch;
    END LOOP;
    RETURN QUERY
        WITH asked AS (
            SELECT r.* FROM request_webhooks(
                CASE WHEN replay_webhooks.dry_run THEN '{}'
                     ELSE ARRAY(SELECT (f ->> 'event_position')::bigint FROM jsonb_array_elements(_found) f) END,
                true, replay_webhooks.reason, replay_webhooks.actor, replay_webhooks.ring, replay_webhooks.at) r)
        SELECT f.delivery_id, f.event_position, f.endpoint, f.task_id, f.status,
               coalesce(a.outcome, CASE WHEN f.status = 'pending' THEN 'pending'
                                        WHEN f.endpoint IS NOT NULL AND n.status IS DISTINCT FROM 'disabled' THEN 'requested'
                                        WHEN f.known THEN 'disabled' ELSE 'skipped' END), a.position
        FROM jsonb_to_recordset(_found) AS f (
            delivery_id text, event_position bigint, endpoint text, task_id text, status text, known boolean)
        LEFT JOIN asked a USING (delivery_id)
        LEFT JOIN webhook_endpoints n ON n.endpoint = f.endpoint
        ORDER BY f.event_position;
END $$;
