SELECT position, version, stream, type, actor, recorded_at, data, state FROM row_states($1, $2, $3, $4, $5)
