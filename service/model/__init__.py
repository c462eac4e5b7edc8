"""What the rows and events of Annals look like in Python: no I/O, no clock, no decision.

The SQL functions decide and fold; these classes only carry what they returned. Fields have the names of the
columns and of the keys in an event's data.
"""
