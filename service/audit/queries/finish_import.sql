SELECT finish_import($1)
