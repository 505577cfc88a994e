"""The built-in kinds: their fields as data, and one file per family of kinds for defaults, validation and columns.

Objects are plain dicts. `prepare` sets missing fields in place; `problems` yields what is invalid.
"""
