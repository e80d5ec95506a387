"""What outlives the process of a live run: a locked folder, and in it a journal of its orders, and
the state of its strategy.

Orders and positions are the venue's: they are never kept, always asked for again.
"""

from strategy_runtime.runtime.store.folder import StateFolder, default_place
from strategy_runtime.runtime.store.journal import Journal
from strategy_runtime.runtime.store.state import StateKeeper, state_keeper

__all__ = ["Journal", "StateFolder", "StateKeeper", "default_place", "state_keeper"]
