-- When the next webhook becomes due of those that wait for a time; NULL when none does.
--
--   SELECT next_delivery_at();

CREATE FUNCTION next_delivery_at(at timestamptz DEFAULT clock_timestamp()) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
    SELECT d.next_attempt_at FROM webhook_deliveries d
    WHERE d.status = 'pending' AND d.next_attempt_at > next_delivery_at.at
      AND NOT EXISTS (SELECT FROM webhook_endpoints n WHERE n.endpoint = d.endpoint AND n.status <> 'active')
    ORDER BY d.next_attempt_at LIMIT 1
$$;
