SELECT webhook_body($1)
