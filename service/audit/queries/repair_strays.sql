SELECT stream_type, stream_id, row_key, kept FROM repair_strays($1, $2, $3)
