"""The trading desk: turns a strategy's calls into requests, and tracks them until answered."""

from strategy_runtime.runtime.desk.desk import TradingDesk

__all__ = ["TradingDesk"]
