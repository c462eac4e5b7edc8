-- Names cannot be parameters of this statement: scratch.py fills them in, quoted.
CREATE DATABASE {name} TEMPLATE {template}
