"""Runs of which nothing is to be heard."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["silenced"]


@contextmanager
def silenced() -> Iterator[None]:
    """Log nothing, of structlog and the standard library alike, unless the level is `debug`."""
    before = logging.root.manager.disable
    if not logging.getLogger("strategy_runtime").isEnabledFor(logging.DEBUG):
        logging.disable()
    try:
        yield
    finally:
        logging.disable(before)
