SELECT import_documents($1, $2)
