"""One run of a strategy over data."""

import asyncio
import logging
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from msgspec import Struct

from strategy_runtime.backtesting.options import options_from
from strategy_runtime.backtesting.own_thread import run_in_thread
from strategy_runtime.backtesting.reading import Source, read_data
from strategy_runtime.clock import monotonic, ns_of
from strategy_runtime.errors import HookFailed
from strategy_runtime.protocol.subscriptions import Subscriptions, parse_subscriptions
from strategy_runtime.report.results import Results, results_of
from strategy_runtime.report.summary import RunFacts, as_written
from strategy_runtime.runtime.delivery.dispatcher import overridden
from strategy_runtime.runtime.delivery.failures import OnError
from strategy_runtime.runtime.repetition import limit_repeated_lines
from strategy_runtime.runtime.risk.limited import desk_for
from strategy_runtime.runtime.risk.limits import Limits
from strategy_runtime.runtime.rounding import Rounding
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.tracebacks import ending_in_hook
from strategy_runtime.simulator.data.load import LoadedData
from strategy_runtime.simulator.data.selection import listed, unmet
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import Outcome
from strategy_runtime.simulator.over_data import exchange_over
from strategy_runtime.simulator.venue import SimulatedVenue
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.hooks import HOOKS
from strategy_runtime.suggestions import some_of

__all__ = ["Backtest", "Conditions", "backtest", "conditions_of", "drive"]

_log = logging.getLogger("strategy_runtime")

_AT_EACH_BAR = "what it does at each bar goes into `def on_candle(self, candle)`"
_OF_PRICES = {
    "on_candle": "candle",
    "on_candles": "candle",
    "on_quote": "quote",
    "on_event": "event",
}
"""The hooks for prices, and what is sent to each."""
_ALL_LINES = 'logging.getLogger("strategy_runtime").setLevel("DEBUG") shows all of them'


class Conditions(Struct, frozen=True, kw_only=True):
    """Data and settings that comparable runs share.

    Attributes:
        options: Options of the exchange.
        subscriptions: The data that the strategy receives.
        warnings: Warnings about the subscriptions, for the results of each run.
    """

    data: LoadedData
    options: ExchangeOptions
    limits: Limits
    rounding: Rounding
    subscriptions: Subscriptions
    warnings: Sequence[str] = ()


class Backtest:
    """One run of a strategy over data.

    Attributes:
        exchange: The exchange on which the strategy trades.
        runner: Runs the strategy.
    """

    def __init__(
        self,
        strategy: Strategy,
        conditions: Conditions,
        *,
        on_error: OnError = "stop",
    ) -> None:
        self._strategy = strategy
        self._parameters = as_written(strategy.parameter_values)
        self._conditions = conditions
        self._data = data = conditions.data
        self._wall_s = 0.0
        self.exchange = exchange_over(data, conditions.options, conditions.subscriptions)
        self.runner = Runner(
            strategy,
            SimulatedVenue(self.exchange),
            mode="backtest",
            on_error=on_error,
            desk=desk_for(conditions.limits, conditions.rounding),
        )

    @property
    def bars(self) -> int:
        """Number of bars in the data, of all symbols."""
        return sum(map(len, self._data.series))

    async def run(self) -> None:
        """Run to the end of the data, or until the runner is stopped.

        Raises:
            HookFailed: A hook of the strategy raised.
        """
        began = monotonic()
        await self.runner.run()
        self._wall_s = monotonic() - began

    def results(self) -> Results:
        """Compute the results."""
        outcome = self.exchange.outcome()
        outcome.warnings.extend(self._conditions.warnings)
        loaded = {
            each.symbol for each in (*self._data.series, *self._data.quotes, *self._data.ticks)
        }
        outcome.warnings.extend(self._conditions.rounding.unknown_symbols(loaded))
        if outcome.complete:
            outcome.warnings.extend(self._never_called(outcome))
            traded = {fill.symbol for fill in outcome.fills}
            outcome.warnings.extend(self.runner.oversights(traded))
        outcome.warnings.extend(self._not_restated(outcome))
        facts = RunFacts(
            strategy=type(self._strategy).__name__,
            parameters=self._parameters,
            options=self.exchange.options,
            faults=self._data.faults,
            wall_s=self._wall_s,
            refused_orders=self.runner.refused_orders,
            hook_failures=self.runner.hook_failures,
            limits=self._conditions.limits,
            rounding=self._conditions.rounding,
            quit_reason=None if outcome.complete else self.runner.quit_reason,
        )
        return results_of(outcome, facts)

    def _not_restated(self, outcome: Outcome) -> Iterator[str]:
        """A warning of announced splits amid the bars of a strategy that remembers prices."""
        strategy = self._strategy
        begins = {series.symbol: series.starts[0] for series in outcome.series}
        met = [
            str(split)
            for split in self._conditions.options.splits
            if begins.get(split.symbol, outcome.end_ns) < ns_of(split.at) < outcome.end_ns
        ]
        if met and (strategy._indicators.families or strategy.lookback):
            yield (
                f"indicators and history keep the prices of before a split ({some_of(met, 3)}) "
                "and are wrong until these are past; use adjusted prices, without splits"
            )

    def _never_called(self, outcome: Outcome) -> list[str]:
        """Return warnings about a strategy that saw no price, because it has no hook for the events
        that were sent.
        """
        name = type(self._strategy).__name__
        if not any(overridden(self._strategy, each) for each in HOOKS):
            return [f"{name} has no hooks, so it was never called; {_AT_EACH_BAR}"]
        kinds = {each.rpartition(":")[2].partition("_")[0] for each in outcome.sent}
        hooks = [each for each in _OF_PRICES if overridden(self._strategy, each)]
        if "on_event" in hooks or kinds.intersection(_OF_PRICES[each] for each in hooks):
            return []
        has_acted = outcome.orders or self.runner.refused_orders or self.runner.has_timers
        if not (hooks or has_acted):
            return [f"{name} has no hook for prices, no timer, and placed no order; {_AT_EACH_BAR}"]
        if "on_quote" not in hooks and not (self._data.series or self._data.ticks):
            return [
                f"{each} was never called: the data have quotes only; follow them with on_quote "
                "(--timeframe makes no candles of quotes)"
                for each in hooks
            ]
        return [f"{each} was never called: no {_OF_PRICES[each]}s were sent" for each in hooks]


def backtest(
    strategy: Strategy,
    data: LoadedData | Source,
    *,
    subscriptions: str = "",
    on_error: OnError = "stop",
    **options: Any,
) -> Results:
    """Backtest a strategy; returns the results, which print as a table.

    It works in a notebook, too, where an event loop is already running.

    Args:
        data: The result of `read_data`, which can be reused, or anything that `read_data` takes.
        subscriptions: What the strategy receives, such as `S:AAPL:candle_5m,C:BTCUSD:quote`; by
            default all quotes, and the finest candles of each symbol.
        on_error: What a failing hook does: `stop` or `continue`.
        options: Options of the exchange: `cash`, `fee_rate`, `slippage`, `children`, …; risk
            limits: `max_order_notional`, `max_daily_loss`, …; `lot_size` and `tick_size`, a number
            or numbers by symbol. `splits` is a file, or a list such as `["AAPL 2:1 2005-02-28"]`.

    Raises:
        HookFailed: A hook of the strategy raised; `__cause__` is what it raised.
        DataError: The data cannot be read.
        ConfigError: A value is invalid, `subscriptions` match nothing in the data, or the strategy
            has run before.
        TypeError: An option is unknown, or an argument is not a strategy or data.
    """
    if isinstance(strategy, type):
        name = strategy.__name__
        raise TypeError(f"{name} is a class; give an object of it: backtest({name}(), …)")
    if not isinstance(strategy, Strategy):
        raise TypeError(f"backtest() runs an object of your strategy, and no {_kind(strategy)}")
    run = Backtest(strategy, conditions_of(data, subscriptions, options), on_error=on_error)
    with limit_repeated_lines(_log.warning, _ALL_LINES, lambda: run.runner.in_hand.get("time", "")):
        drive(run)
    return run.results()


def conditions_of(
    data: LoadedData | Source, subscriptions: str, options: Mapping[str, Any]
) -> Conditions:
    """Make conditions from the arguments of `backtest`."""
    if not isinstance(subscriptions, str):
        raise TypeError(
            "subscriptions are a text such as 'S:AAPL:candle_5m,C:BTCUSD:quote', and no "
            f"{_kind(subscriptions)}"
        )
    exchange_options, limits, rounding = options_from(options)
    loaded = data if isinstance(data, LoadedData) else read_data(data)
    wanted = parse_subscriptions(subscriptions, "subscriptions")
    missing = unmet(wanted, loaded, "subscriptions")
    return Conditions(
        data=loaded,
        options=exchange_options,
        limits=limits,
        rounding=rounding,
        subscriptions=wanted,
        warnings=listed(missing, "nothing came of"),
    )


def drive(run: Backtest) -> None:
    """Run to the end; Ctrl-C raises at once, not only between two iterations of the event loop.

    Raises:
        HookFailed: A hook of the strategy raised.
    """
    try:
        if _has_loop():
            run_in_thread(run.run)
        else:
            with _without_asyncio_handler():
                asyncio.run(run.run())
    except HookFailed as failure:
        raise ending_in_hook(failure) from failure.__cause__


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _without_asyncio_handler() -> Iterator[None]:
    """Let Ctrl-C raise wherever the program is, as it does without asyncio.

    asyncio replaces only the default handler of Python, so an equivalent one stays in place.
    """
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not ours or threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signal.default_int_handler(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _kind(value: object) -> str:
    return type(value).__name__
