SELECT first_secret($1)
