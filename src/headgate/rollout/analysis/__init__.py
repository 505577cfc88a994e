"""Judges a canary: `checks` makes the queries of an analysis, `verdict` reads their results."""
