"""What outlives the process of a live run: a locked folder, and in it a journal of its orders.

Orders and positions are the venue's: they are never kept, always asked for again.
"""

from strategy_runtime.runtime.store.folder import StateFolder, default_place
from strategy_runtime.runtime.store.journal import Journal

__all__ = ["Journal", "StateFolder", "default_place"]
