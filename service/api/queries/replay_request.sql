-- What a request ($1) was answered before; NULL for the first, whose result keep_request is to keep.
SELECT replay_request($1::request_key)
