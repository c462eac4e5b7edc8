SELECT repair_strays($1, $2, $3)
