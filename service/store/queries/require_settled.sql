SELECT require_settled($1)
