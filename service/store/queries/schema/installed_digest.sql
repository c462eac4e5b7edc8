SELECT identity FROM schema_objects WHERE kind = 'digest'
