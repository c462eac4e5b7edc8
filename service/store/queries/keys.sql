SELECT name, scopes, created_at, expires_at, revoked_at
FROM api_keys
ORDER BY name
