"""Runs without log output."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["silenced"]


@contextmanager
def silenced() -> Iterator[None]:
    """Suppress logging, by structlog and the standard library, unless the level is `debug`."""
    before = logging.root.manager.disable
    if not logging.getLogger("strategy_runtime").isEnabledFor(logging.DEBUG):
        logging.disable()
    try:
        yield
    finally:
        logging.disable(before)
