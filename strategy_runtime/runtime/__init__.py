"""Runs a strategy against a venue: settings, loading, dispatch, orders, the book."""
