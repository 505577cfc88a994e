"""Objects on disk (SQLite) and in memory (the watch cache)."""
