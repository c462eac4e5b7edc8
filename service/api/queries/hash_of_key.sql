-- The hash of a key ($1 name); no row when it was revoked.
SELECT h.hash
FROM api_key_hashes h
WHERE h.name = $1
