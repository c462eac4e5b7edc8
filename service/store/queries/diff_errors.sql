SELECT * FROM diff_errors($1, $2)
