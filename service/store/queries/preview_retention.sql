SELECT removed, up_to_position, end_position, done FROM preview_retention($1, $2, $3, $4)
