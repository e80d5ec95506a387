"""A live venue in a thread of its own, so that no hook blocks it."""

from strategy_runtime.runtime.threads.venue import ThreadedVenue

__all__ = ["ThreadedVenue"]
