-- The statistics and visibility maps of tables that were just made.
VACUUM (ANALYZE)
