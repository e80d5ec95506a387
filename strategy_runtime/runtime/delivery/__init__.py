"""Delivery of events to the hooks of a strategy, one at a time."""

from strategy_runtime.runtime.delivery.delivery import Burst, Deliver, Delivery

__all__ = ["Burst", "Deliver", "Delivery"]
