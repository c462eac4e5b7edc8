SELECT stream_id, row_key, kept, folded FROM compare_shadow($1, $2, $3)
