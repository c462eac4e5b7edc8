SELECT repair_streams($1, $2, $3)
