"""The link between a run and its venue: what is missed while it is down, or lost while it is up."""

from strategy_runtime.runtime.link.link import Link

__all__ = ["Link"]
