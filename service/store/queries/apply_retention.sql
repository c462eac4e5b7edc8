SELECT removed, up_to_position, end_position, done, "position"
FROM apply_retention($1, $2, $3, $4, $5, coalesce($6, CASE WHEN $4::text IS NULL THEN default_actor() ELSE 'relay' END), ring => false)
