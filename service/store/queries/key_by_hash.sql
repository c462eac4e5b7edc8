SELECT k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at
FROM api_key_hashes h
JOIN api_keys k ON k.name = h.name
WHERE h.hash = $1
