SELECT * FROM diff_coverage($1, $2)
