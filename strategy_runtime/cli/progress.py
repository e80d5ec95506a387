"""How far a command is, on a terminal: one line that is written again and again, and wiped."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

from strategy_runtime.clock import sleep

if TYPE_CHECKING:
    from strategy_runtime.simulator.exchange import Exchange

__all__ = ["counted", "replayed"]

_T = TypeVar("_T")

_PATIENCE_S = 1.0
_INTERVAL_S = 0.2
_WIDTH = 20


@asynccontextmanager
async def replayed(exchange: "Exchange") -> AsyncIterator[None]:
    """Show how far a replay is, once it takes longer than a second."""
    if not sys.stderr.isatty():
        yield
        return
    end = max(each.starts[-1] + each.step for each in exchange.outcome().series)
    ticker = asyncio.create_task(_tick(exchange, exchange.now_ns, end), name="progress")
    try:
        yield
    finally:
        ticker.cancel()
        await asyncio.wait({ticker})


async def _tick(exchange: "Exchange", begin: int, end: int) -> None:
    await sleep(_PATIENCE_S)
    try:
        while True:
            done = (exchange.now_ns - begin) / max(end - begin, 1)
            _show(f"{done:4.0%}  {exchange.now:%Y-%m-%d}")
            await sleep(_INTERVAL_S)
    finally:
        _wipe()


def counted(things: Iterable[_T], count: int) -> Iterator[_T]:
    """Hand on things, and show how many of so many there have been."""
    if not sys.stderr.isatty():
        yield from things
        return
    try:
        for number, thing in enumerate(things, start=1):
            _show(f"{number:,} of {count:,}")
            yield thing
    finally:
        _wipe()


def _show(text: str) -> None:
    # Back to its beginning, so that a line of the log that comes next takes its place.
    sys.stderr.write(f"\r{text:<{_WIDTH}}\r")
    sys.stderr.flush()


def _wipe() -> None:
    _show("")
