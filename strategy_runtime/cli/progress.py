"""Progress on a terminal: one line that is overwritten, and wiped at the end."""

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
    """Show the progress of a replay that takes longer than a second."""
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


def counted(items: Iterable[_T], count: int) -> Iterator[_T]:
    """Yield the items, and show how many of `count` there have been."""
    if not sys.stderr.isatty():
        yield from items
        return
    try:
        for number, item in enumerate(items, start=1):
            _show(f"{number:,} of {count:,}")
            yield item
    finally:
        _wipe()


def _show(text: str) -> None:
    # Back to the start of the line, so that the next log line overwrites it.
    sys.stderr.write(f"\r{text:<{_WIDTH}}\r")
    sys.stderr.flush()


def _wipe() -> None:
    _show("")
