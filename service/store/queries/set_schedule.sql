SELECT outcome, position FROM set_schedule($1, $2, next_due_at => $3, actor => $4, ring => $5, configured => $6)
