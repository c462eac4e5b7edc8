SELECT * FROM diff_tasks($1, $2)
