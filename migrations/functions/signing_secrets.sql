-- The secrets that sign a webhook now, the newest first: those of its endpoint, else of the API key, else the default.
--
--   SELECT signing_secrets('https://example.com/hook', 'test-key');

CREATE FUNCTION signing_secrets(endpoint text, api_key text DEFAULT NULL, at timestamptz DEFAULT clock_timestamp()) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT s.secret FROM webhook_secrets s
    WHERE s.scope = (SELECT c.scope
                     FROM (VALUES (1, 'endpoint:' || signing_secrets.endpoint), (2, 'key:' || signing_secrets.api_key), (3, 'default')) AS c (rank, scope)
                     WHERE EXISTS (SELECT FROM webhook_secrets x WHERE x.scope = c.scope AND x.expires_at IS NULL)
                     ORDER BY c.rank LIMIT 1)
      AND (s.expires_at IS NULL OR s.expires_at > signing_secrets.at)
    ORDER BY s.secret_id DESC
$$;
