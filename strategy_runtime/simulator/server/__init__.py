"""The simulated exchange behind WebSocket and REST, as a trading proxy."""

from strategy_runtime.simulator.server.app import ProxyServer
from strategy_runtime.simulator.server.ending import RunEnd

__all__ = ["ProxyServer", "RunEnd"]
