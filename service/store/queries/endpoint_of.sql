SELECT webhook_endpoint($1)
