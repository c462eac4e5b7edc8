DROP TABLE IF EXISTS _yoyo_log, _yoyo_version, _yoyo_migration, yoyo_lock, schema_objects
