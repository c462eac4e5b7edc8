SELECT digest FROM schema_objects
