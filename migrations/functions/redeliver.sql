-- Sends webhooks again, under the same ids and numbers: also those whose row is gone, from the log.
--
-- Outcomes: requested, pending (still being sent), disabled (its endpoint is), not_found. One that was skipped takes
-- its number now.
--
--   SELECT * FROM redeliver('{wh-00000000-0000-0000-0000-000000000000}', reason => 'the receiver lost it');

CREATE FUNCTION redeliver(
    delivery_ids text[],
    reason       text        DEFAULT NULL,
    actor        text        DEFAULT default_actor(),
    ring         boolean     DEFAULT true,
    at           timestamptz DEFAULT clock_timestamp()
) RETURNS TABLE (delivery_id text, outcome text, sequence bigint, "position" bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        WITH asked AS (
            SELECT r.* FROM request_webhooks(
                ARRAY(SELECT s.event_position FROM webhooks_so_far(redeliver.delivery_ids) s), true, redeliver.reason,
                redeliver.actor, redeliver.ring, redeliver.at) r)
        SELECT u.delivery_id, coalesce(a.outcome, 'not_found'), a.sequence, a.position
        FROM (SELECT DISTINCT unnest(redeliver.delivery_ids) AS delivery_id) u
        LEFT JOIN asked a USING (delivery_id)
        ORDER BY a.event_position, u.delivery_id;
END $$;
