-- Keep the result ($2) of a request ($1), in the transaction of its writes.
SELECT keep_request($1::request_key, $2)
