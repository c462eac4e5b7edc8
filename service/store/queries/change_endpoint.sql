SELECT outcome, position FROM change_endpoint($1, $2, $3, $4, $5, $6, $7)
