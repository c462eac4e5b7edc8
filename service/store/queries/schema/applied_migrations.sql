SELECT migration_id FROM _yoyo_migration ORDER BY migration_id
