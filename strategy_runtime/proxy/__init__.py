"""The venue over the network: events by WebSocket, requests by REST, to a Trading API proxy."""

from strategy_runtime.proxy.endpoints import Endpoints
from strategy_runtime.proxy.venue import ProxyVenue

__all__ = ["Endpoints", "ProxyVenue"]
