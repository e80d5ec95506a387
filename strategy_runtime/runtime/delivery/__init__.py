"""How events reach a strategy: one at a time, to its hooks, whatever these do."""

from strategy_runtime.runtime.delivery.delivery import Burst, Deliver, Delivery

__all__ = ["Burst", "Deliver", "Delivery"]
