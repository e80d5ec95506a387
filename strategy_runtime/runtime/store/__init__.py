"""What outlives the process of a live run: a locked folder, and in it a journal of its orders, the
state of its strategy, and how the day began.

Orders and positions are the venue's: they are never kept, always asked for again.
"""

from strategy_runtime.runtime.store.day import DayFile
from strategy_runtime.runtime.store.folder import StateFolder, default_place, has_kept
from strategy_runtime.runtime.store.journal import Journal
from strategy_runtime.runtime.store.state import StateKeeper, state_keeper

__all__ = [
    "DayFile",
    "Journal",
    "StateFolder",
    "StateKeeper",
    "default_place",
    "has_kept",
    "state_keeper",
]
