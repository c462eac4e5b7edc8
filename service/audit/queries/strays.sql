SELECT stream_type, stream_id, row_key FROM rows_without_stream($1, $2, $3)
