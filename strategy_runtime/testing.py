"""Test a strategy like any other code: feed it candles, and check its orders.

::

    async def test_buys_the_cross() -> None:
        async with SmaCross(fast=2, slow=3).run_test() as pilot:
            await pilot.candles("S:AAPL", closes=[50, 49, 48, 49, 50, 51, 49, 48, 48])
            assert [order.side for order in pilot.orders] == [Side.BUY, Side.SELL]

The strategy runs on the real dispatcher and the real simulated exchange, so it behaves as in a
backtest. No plug-in of a test runner is needed: `run_test` is an ordinary asynchronous context
manager.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from math import inf
from typing import Any

from strategy_runtime.backtesting.options import options_from
from strategy_runtime.clock import NANOSECONDS, ns_of
from strategy_runtime.errors import HookFailed
from strategy_runtime.protocol.events import Item
from strategy_runtime.protocol.models import Order
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.book.nets import check_symbol
from strategy_runtime.runtime.delivery.failures import OnError
from strategy_runtime.runtime.risk.limited import desk_for
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.tracebacks import ending_in_hook
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.outcome import Fill
from strategy_runtime.simulator.venue import CONNECTED, SimulatedVenue
from strategy_runtime.strategy import NetPosition, Strategy
from strategy_runtime.strategy.state import check_state

__all__ = ["Fill", "Pilot", "run_test"]

FIRST_BAR = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
"""Default start of the first bar."""


class Pilot:
    """Feeds a strategy under test, and shows what it did.

    Attributes:
        strategy: The strategy under test.
        exchange: The exchange it trades on.
    """

    def __init__(
        self,
        strategy: Strategy,
        venue: "_FedVenue",
        runner: Runner,
        timeframe: str,
        start: datetime,
    ) -> None:
        self.strategy = strategy
        self.exchange = venue.exchange
        self._venue = venue
        self._runner = runner
        self._timeframe = timeframe
        self._step = parse_timeframe(timeframe).nanoseconds
        self._next_start = ns_of(start)
        self._last_close: dict[str, float] = {}

    def __repr__(self) -> str:
        orders, fills = len(self.orders), len(self.fills)
        return f"<Pilot of {self.strategy!r}: orders {orders}, fills {fills}, equity {self.equity}>"

    @property
    def orders(self) -> list[Order]:
        """The strategy's orders, oldest first, in their current state, without bracket legs."""
        return [order for order in self.exchange.outcome().orders if not order.parent_order_id]

    @property
    def legs(self) -> list[Order]:
        """The bracket legs that the exchange placed for them."""
        return [order for order in self.exchange.outcome().orders if order.parent_order_id]

    @property
    def fills(self) -> list[Fill]:
        """All fills, in order."""
        return self.exchange.fills

    @property
    def equity(self) -> Decimal:
        """Equity at the last prices."""
        return self.exchange.outcome().equity

    @property
    def quit_reason(self) -> str | None:
        """Why the strategy ended the run, or None if it has not."""
        return self._runner.quit_reason

    def position(self, symbol: str) -> NetPosition:
        """The net position, as the strategy sees it."""
        return self._runner.position(symbol)

    async def candles(
        self,
        symbol: str,
        *,
        closes: Sequence[float] | None = None,
        bars: Sequence[Sequence[float]] | None = None,
    ) -> None:
        """Close bars, one after the other, and wait until the strategy has handled each.

        They continue where the last ones ended. With `closes`, each bar opens at the close of the
        one before, and its range just covers open and close; `bars` gives all prices.

        Args:
            closes: Closing prices.
            bars: Rows of open, high, low, close and, optionally, volume.

        Raises:
            HookFailed: A hook of the strategy raised.
            ValueError: A row is not a valid bar.
            RuntimeError: The run is over, as it is after the `async with` block.
        """
        if bars is None and closes is not None:
            rows: Sequence[Sequence[float]] = self._made_up(symbol, closes)
        elif closes is None and bars is not None:
            rows = bars
        else:
            raise ValueError("give closes= or bars=, one of the two")
        await self._feed({symbol: rows})

    async def candles_of(self, closes: Mapping[str, Sequence[float]]) -> None:
        """Like `candles`, for several symbols whose bars close at the same instants."""
        await self._feed({symbol: self._made_up(symbol, each) for symbol, each in closes.items()})

    async def quotes(self, symbol: str, pairs: Sequence[tuple[float, float]]) -> None:
        """Send quotes, a second apart, and wait until the strategy has handled each.

        They continue where candles and quotes ended. From its first quote on, orders in the symbol
        fill only at its quotes: buys at the ask, sells at the bid.

        Args:
            pairs: Best bid and ask.

        Raises:
            ValueError: A pair is not a valid quote.
            HookFailed: A hook of the strategy raised.
            RuntimeError: The run is over, as it is after the `async with` block.
        """
        self._check_open()
        check_symbol(symbol)
        series = QuoteSeries(symbol)
        for bid, ask in pairs:
            if not 0 < bid <= ask < inf:
                raise ValueError(
                    f"({bid}, {ask}) is no quote: write bid and ask, the lower one first, and both "
                    "above zero"
                )
            series.append(self._next_start, bid, ask)
            self._next_start += NANOSECONDS
        if len(series):
            self.exchange.extend_quotes(series)
        await self._venue.handle(self.exchange.replay())

    def _check_open(self) -> None:
        if self._venue.is_closed:
            raise RuntimeError(
                "the run is over: feed it within `async with strategy.run_test() as pilot`"
            )

    def _made_up(self, symbol: str, closes: Sequence[float]) -> list[list[float]]:
        rows: list[list[float]] = []
        before = self._last_close.get(symbol)
        for close in closes:
            opened = close if before is None else before
            rows.append([opened, max(opened, close), min(opened, close), close])
            before = close
        return rows

    async def _feed(self, rows_by_symbol: Mapping[str, Sequence[Sequence[float]]]) -> None:
        self._check_open()
        start = longest = 0
        for symbol, rows in rows_by_symbol.items():
            check_symbol(symbol)
            series = BarSeries(symbol, self._timeframe, self._step)
            start = self._next_start
            for row in rows:
                opened, high, low, close, volume = _bar(symbol, row)
                series.append(start, opened, high, low, close, volume)
                self._last_close[symbol] = close
                start += self._step
            longest = max(longest, len(rows))
            self.exchange.extend(series)
        self._next_start += longest * self._step
        await self._venue.handle(self.exchange.replay())


def _bar(symbol: str, row: Sequence[float]) -> list[float]:
    try:
        numbers = [*map(float, row)]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) in (4, 5):
        opened, high, low, close, volume = (*numbers, 0.0)[:5]
        are_prices = 0 < low <= opened <= high < inf and low <= close <= high
        if are_prices and 0 <= volume < inf:
            return [opened, high, low, close, volume]
    raise ValueError(
        f"{row!r} is no bar of {symbol}: give open, high, low, close and, if you like, volume; "
        "prices have to be above zero"
    )


class _FedVenue(SimulatedVenue):
    """A venue that replays its exchange step by step, as the pilot feeds it.

    Attributes:
        run: The run of the strategy on it.
        is_closed: Whether the pilot can no longer feed it.
    """

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self._phases: asyncio.Queue[Iterator[None]] = asyncio.Queue()
        self._handled = asyncio.Event()
        self.run: asyncio.Task[None] | None = None
        self.is_closed = False

    async def bursts(self) -> AsyncIterator[Iterator[Item]]:
        """Yield the events of the phases that are fed, until the run is over."""
        yield iter((CONNECTED,))
        while not self.exchange.is_complete:
            async for burst in self.play(await self._phases.get()):
                yield burst
            self._handled.set()

    async def handle(self, phases: Iterator[None]) -> None:
        """Replay some phases and wait until the strategy has handled them; raise what it raises."""
        self._handled.clear()
        self._phases.put_nowait(phases)
        done = asyncio.ensure_future(self._handled.wait())
        if self.run is not None:
            await asyncio.wait({done, self.run}, return_when=asyncio.FIRST_COMPLETED)
            done.cancel()
            if self.run.done():
                self.run.result()


@asynccontextmanager
async def run_test(
    strategy: Strategy,
    *,
    timeframe: str = "1m",
    on_error: OnError | None = None,
    start: datetime = FIRST_BAR,
    **options: Any,
) -> AsyncIterator[Pilot]:
    """Run a strategy on a simulated exchange, with a pilot that feeds it data.

    Args:
        timeframe: Timeframe of the candles.
        on_error: What a failing hook does to the run: `stop` (as in a backtest) or `continue`.
        start: Start of the first bar.
        options: Options of the exchange: `cash`, `fee_rate`, `slippage`, `children`, …; risk
            limits: `max_order_notional`, `max_daily_loss`, …; `lot_size` and `tick_size`.

    Raises:
        HookFailed: A hook of the strategy raised.
        ConfigError: An option has an invalid value.
        TypeError: An option is unknown; or, at the end, a live run could not save the state.
        ValueError: `on_error` or `start` has an invalid value.
    """
    if getattr(start, "tzinfo", None) is None:
        raise ValueError(
            f"start= is a datetime with a time zone, such as {FIRST_BAR!r}, not {start!r}"
        )
    exchange_options, limits, rounding = options_from(options)
    exchange = Exchange([], exchange_options)
    venue = _FedVenue(exchange)
    runner = Runner(
        strategy,
        venue,
        mode="backtest",
        run_id="test",
        on_error=on_error,
        desk=desk_for(limits, rounding),
    )
    venue.run = asyncio.ensure_future(_run(runner))
    pilot = Pilot(strategy, venue, runner, timeframe, start)
    try:
        await venue.handle(iter(()))
        yield pilot
        venue.is_closed = True
        if not venue.run.done():
            await venue.handle(exchange.finish())
            await venue.run
        check_state(strategy)
    finally:
        venue.run.cancel()
        await asyncio.wait({venue.run})


async def _run(runner: Runner) -> None:
    try:
        await runner.run()
    except HookFailed as failure:
        raise ending_in_hook(failure) from failure.__cause__
