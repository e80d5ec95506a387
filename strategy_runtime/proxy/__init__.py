"""The venue over the network: where to connect, when to give up, the socket, the requests."""

from strategy_runtime.proxy.endpoints import Endpoints
from strategy_runtime.proxy.venue import ProxyVenue

__all__ = ["Endpoints", "ProxyVenue"]
