SELECT import_events($1)
