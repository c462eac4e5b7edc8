SELECT stream_id, length FROM next_streams($1, $2, $3, $4)
