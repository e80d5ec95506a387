"""The link to the venue: recovery of events missed while it is down, or lost while it is up."""

from strategy_runtime.runtime.link.link import Link

__all__ = ["Link"]
