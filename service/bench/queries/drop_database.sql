-- The name cannot be a parameter of this statement: scratch.py fills it in, quoted.
DROP DATABASE IF EXISTS {name} WITH (FORCE)
