SELECT stream_id, row_key, kept, folded, problem FROM repair_streams($1, $2, $3)
