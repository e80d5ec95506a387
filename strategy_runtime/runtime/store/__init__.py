"""Persistence of a live run: a locked folder with the journal of orders, the strategy's state, and
the equity at the start of the day.

Orders and positions belong to the venue and are always requested again: of an order, only what the
strategy has been told is stored, so that it can be told the rest.
"""

from strategy_runtime.runtime.store.day import DayFile
from strategy_runtime.runtime.store.folder import StateFolder, default_place, has_kept
from strategy_runtime.runtime.store.journal import Followed, Journal
from strategy_runtime.runtime.store.state import StateKeeper, state_keeper

__all__ = [
    "DayFile",
    "Followed",
    "Journal",
    "StateFolder",
    "StateKeeper",
    "default_place",
    "has_kept",
    "state_keeper",
]
