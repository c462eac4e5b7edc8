SELECT s.secret_id, s.scope, s.created_at, s.expires_at
FROM webhook_secrets s
WHERE s.expires_at IS NULL OR s.expires_at > clock_timestamp()
ORDER BY s.scope, s.secret_id DESC
