INSERT INTO schema_objects (kind, identity) VALUES (%s, %s)
