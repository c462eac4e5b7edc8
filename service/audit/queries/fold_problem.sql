SELECT fold_problem($1, $2)
