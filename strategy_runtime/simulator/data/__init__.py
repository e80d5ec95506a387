"""Market data files: what can be read, and what was wrong with it."""
