SELECT stream_id, length, is_new FROM next_streams($1, $2, $3, $4, $5)
