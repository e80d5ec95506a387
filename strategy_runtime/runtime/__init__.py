"""Run a strategy against a venue: settings, loading, event delivery, orders and the book."""
