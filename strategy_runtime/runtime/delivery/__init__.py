"""Delivery of events to the hooks of a strategy, one at a time.

* `delivery`: takes events from the venue; `dispatcher`: the handler of each kind; `eager`: hooks
  that are coroutines;
* `runs`: many candles in one loop; `live_candles`: each candle once; `instants`: those of an
  instant together;
* `failures`: what ends a run; `hints`, with `other_engines`: what to write instead; `loose_ends`,
  `stuck_hooks`: what a hook leaves behind, or waits for;
* `heard`: notes in the journal what was told; `order_log`: logs it.
"""

from strategy_runtime.runtime.delivery.delivery import Burst, Deliver, Delivery

__all__ = ["Burst", "Deliver", "Delivery"]
