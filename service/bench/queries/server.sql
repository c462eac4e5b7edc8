-- The settings that decide what a commit costs.
SELECT name, current_setting(name) AS value
FROM unnest('{server_version, fsync, synchronous_commit, full_page_writes, wal_compression, shared_buffers}'::text[]) name
