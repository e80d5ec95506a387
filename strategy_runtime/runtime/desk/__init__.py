"""The desk: verbs of a strategy become requests, and requests are seen through to an answer."""

from strategy_runtime.runtime.desk.desk import TradingDesk

__all__ = ["TradingDesk"]
