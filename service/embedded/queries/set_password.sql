ALTER ROLE annals PASSWORD ':password'
