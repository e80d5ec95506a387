"""What users subclass: `Strategy`, its hooks, parameters, tickets and views."""

from strategy_runtime.strategy.base import Strategy
from strategy_runtime.strategy.gap import Gap
from strategy_runtime.strategy.ticket import Ticket
from strategy_runtime.strategy.timer import Timer
from strategy_runtime.strategy.views import AccountView, NetPosition, RiskState

__all__ = ["AccountView", "Gap", "NetPosition", "RiskState", "Strategy", "Ticket", "Timer"]
