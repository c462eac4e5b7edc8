-- The last number that a webhook of this endpoint took; 0 for none. From the log: rows of deliveries go, numbers stay.
--
--   SELECT last_webhook_number('https://example.com/hook');

CREATE FUNCTION last_webhook_number(endpoint text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce((SELECT (e.data ->> 'sequence')::bigint FROM events e
                     WHERE e.type = 'webhook.requested' AND e.data ->> 'endpoint' = last_webhook_number.endpoint
                     ORDER BY (e.data ->> 'sequence')::bigint DESC LIMIT 1), 0)
$$;
