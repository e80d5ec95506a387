"""The venue over the network: events by WebSocket, requests by REST, to a Trading API proxy.

* `venue`: puts the parts together; `endpoints`: where the proxy is;
* events: `connection`: when to connect, and to give up; `inbox`: received frames; `wanted`: which
  of them were subscribed to; `continuity`: whether it is one run; `recording`: a copy in a file;
* requests: `resources`: all but orders; `order_entry`: orders, by the rules of `submission`;
  `requests`: sends them; `policy`: what is tried again, and when;
* the network: `transport`: its interface; `network`: the real one, with `stream` and `framing` for
  WebSocket, `pool` and `http1` for HTTP, and `dialing` for both.
"""

from strategy_runtime.proxy.endpoints import Endpoints
from strategy_runtime.proxy.venue import ProxyVenue

__all__ = ["Endpoints", "ProxyVenue"]
