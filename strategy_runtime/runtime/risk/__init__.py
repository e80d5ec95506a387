"""Limits on risk: what they are, which orders keep them, and what a day has lost."""
