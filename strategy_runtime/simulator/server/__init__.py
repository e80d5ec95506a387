"""The simulated exchange behind WebSocket and REST, as a trading proxy.

* `app`: puts the parts together; `door`: limits on connections; `access`: who may come in;
* `stream`: the base of `lock_step`, which waits for acknowledgements at the `barrier`, and of
  `broadcast`, which goes by the clock; `connection`: one client; `ending`: how a run ends;
* `routes`: the requests; `query`: their parameters; `envelope`: their answers;
* `openapi`, `asyncapi`: descriptions of both; `schemas`: those of the objects in them.
"""

from strategy_runtime.simulator.server.app import ProxyServer
from strategy_runtime.simulator.server.ending import RunEnd

__all__ = ["ProxyServer", "RunEnd"]
