SELECT secret_id, scope_of AS scope, position FROM rotate_secret($1, $2, $3, $4, $5, $6)
