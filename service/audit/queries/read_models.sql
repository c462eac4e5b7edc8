SELECT k.table_name, nullif(k.stream_type, '*') AS stream_type, k.free_columns,
       (pg_relation_size(c.oid) / current_setting('block_size')::integer)::integer AS pages
FROM table_kinds() k
JOIN pg_class c ON c.oid = to_regclass('public.' || k.table_name)
WHERE k.kind = 'read model'
ORDER BY k.table_name
