"""The built-in kinds: their fields as a table of facts, and one file per family for what no schema says.

A family's file holds the defaults, the validation and the columns of its kinds. Objects are plain dicts: `prepare`
fills in what is missing, in place; `problems` yields what does not fit.
"""
