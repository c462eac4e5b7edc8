-- What the first worker of Awa to start on a fresh database does: the storage is the new one from the start.
SELECT awa.storage_auto_finalize_if_fresh('awa')
