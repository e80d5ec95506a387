"""The trading desk: turns a strategy's calls into requests, and tracks them until answered.

* `desk`: the verbs and views of a strategy; `arguments`, `sizing`: what their arguments mean;
  `misplaced`: bracket prices that are slips;
* `outbox`: sends requests; `lines`: the queue of each symbol;
* `doubts`: orders of unknown fate; `refusals`: errors of those that were not accepted.
"""

from strategy_runtime.runtime.desk.desk import TradingDesk

__all__ = ["TradingDesk"]
