SELECT import_taxonomy($1, $2, $3)
