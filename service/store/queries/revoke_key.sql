SELECT revoke_key($1, $2, $3)
