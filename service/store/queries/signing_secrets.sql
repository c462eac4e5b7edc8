SELECT signing_secrets($1, $2)
