SELECT stream_id, row_key, kept, folded FROM repair_streams($1, $2, $3)
