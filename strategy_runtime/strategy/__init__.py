"""What users subclass: `Strategy`, its hooks, parameters, tickets and views.

* `base`: the class; `indicator_methods`: the part of it that makes indicators; `log`: its logger;
* `desk`: the interface behind its verbs and views, which the runtime implements;
* `hooks`: which there are; `uncalled`: methods that are named and not called;
* `parameters`, `state`: what is set from outside, and what is kept; `wording`: describes their
  values; `own_copies`: a list for each instance;
* `ticket`, `timer`, `gap`, `views`: what verbs and hooks give to a strategy.
"""

from strategy_runtime.strategy.base import Strategy
from strategy_runtime.strategy.gap import Gap
from strategy_runtime.strategy.ticket import Ticket
from strategy_runtime.strategy.timer import Timer
from strategy_runtime.strategy.views import AccountView, NetPosition, RiskState

__all__ = ["AccountView", "Gap", "NetPosition", "RiskState", "Strategy", "Ticket", "Timer"]
