"""Backtests from Python: in a notebook, or in a loop over parameters.

::

    from strategy_runtime.backtesting import backtest, read_data

    data = read_data("prices.csv")
    for fast in range(5, 25, 5):
        results = backtest(SmaCross(fast=fast), data, fee_rate=0.001)
        print(fast, results.summary.total_return)

It is the run of `strategy-backtest`: of equal data and options come equal fills.
"""

import asyncio
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import date, datetime
from inspect import signature
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias, get_args

from msgspec.structs import fields

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import ConfigError
from strategy_runtime.protocol.subscriptions import Subscriptions, parse_subscriptions
from strategy_runtime.report.files import write_results
from strategy_runtime.report.results import Results, results_of
from strategy_runtime.report.summary import RunFacts, as_written
from strategy_runtime.runtime.delivery.dispatcher import overridden
from strategy_runtime.runtime.delivery.failures import OnError
from strategy_runtime.runtime.risk.limited import desk_for
from strategy_runtime.runtime.risk.limits import NO_LIMITS, Limits
from strategy_runtime.runtime.rounding import AS_GIVEN, Rounding, steps_of
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.load import LoadedData, load_bars
from strategy_runtime.simulator.data.numbers import Decimals
from strategy_runtime.simulator.data.selection import unmet
from strategy_runtime.simulator.data.split_reader import splits_of
from strategy_runtime.simulator.data.tables import Frame, Table, is_frame, table_of
from strategy_runtime.simulator.data.timestamps import instant_of, zone_of
from strategy_runtime.simulator.data.written_times import Dates
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import Outcome
from strategy_runtime.simulator.over_data import exchange_over
from strategy_runtime.simulator.venue import SimulatedVenue
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.hooks import HOOKS
from strategy_runtime.strategy.parameters import Parameter
from strategy_runtime.suggestions import did_you_mean

__all__ = [
    "Backtest",
    "LoadedData",
    "Results",
    "backtest",
    "options_from",
    "read_data",
    "write_results",
]


_AT_EACH_BAR = "what it does at each bar goes into `def on_candle(self, candle)`"


class Backtest:
    """One run of a strategy over data, for whoever drives it.

    Attributes:
        exchange: Where the strategy trades.
        runner: Runs it.
    """

    def __init__(
        self,
        strategy: Strategy,
        data: LoadedData,
        *,
        options: ExchangeOptions,
        limits: Limits = NO_LIMITS,
        rounding: Rounding = AS_GIVEN,
        subscriptions: Subscriptions,
        on_error: OnError = "stop",
    ) -> None:
        self._strategy = strategy
        self._parameters = as_written(strategy.parameter_values)
        self._data = data
        self._limits = limits
        self._rounding = rounding
        self._wall_s = 0.0
        self.exchange = exchange_over(data, options, subscriptions)
        self.runner = Runner(
            strategy,
            SimulatedVenue(self.exchange),
            mode="backtest",
            on_error=on_error,
            desk=desk_for(limits, rounding),
        )

    @property
    def bars(self) -> int:
        """How many the data have, of all symbols."""
        return sum(map(len, self._data.series))

    async def run(self) -> None:
        """Run to the end of the data, or until the runner is stopped.

        Raises:
            HookFailed: A hook of the strategy raised.
        """
        began = monotonic()
        await self.runner.run()
        self._wall_s = monotonic() - began

    def results(self, warnings: Iterable[str] = ()) -> Results:
        """Sum up the run.

        Args:
            warnings: Others than its own.
        """
        outcome = self.exchange.outcome()
        outcome.warnings.extend(warnings)
        loaded = {
            each.symbol for each in (*self._data.series, *self._data.quotes, *self._data.ticks)
        }
        outcome.warnings.extend(self._rounding.strangers(loaded))
        if outcome.complete:
            outcome.warnings.extend(self._never_called(outcome))
            traded = {fill.symbol for fill in outcome.fills}
            outcome.warnings.extend(self.runner.oversights(traded))
        facts = RunFacts(
            strategy=type(self._strategy).__name__,
            parameters=self._parameters,
            options=self.exchange.options,
            faults=self._data.faults,
            wall_s=self._wall_s,
            refused_orders=self.runner.refused_orders,
            hook_failures=self.runner.hook_failures,
            limits=self._limits,
            rounding=self._rounding,
            quit_reason=None if outcome.complete else self.runner.quit_reason,
        )
        return results_of(outcome, facts)

    def _never_called(self, outcome: Outcome) -> list[str]:
        """Warnings of a strategy that was told no price: it has no hooks, or others than for what
        was sent.
        """
        name = type(self._strategy).__name__
        if not any(overridden(self._strategy, each) for each in HOOKS):
            return [f"{name} has no hooks, so nothing of it was called; {_AT_EACH_BAR}"]
        kinds = {each.rpartition(":")[2].partition("_")[0] for each in outcome.sent}
        known = "candle", "quote", "event"
        hooks = [kind for kind in known if overridden(self._strategy, f"on_{kind}")]
        if "event" in hooks or kinds.intersection(hooks):
            return []
        has_acted = outcome.orders or self.runner.refused_orders or self.runner.has_timers
        if not (hooks or has_acted):
            return [f"{name} has no hook for prices, no timer, and gave no order; {_AT_EACH_BAR}"]
        if hooks == ["candle"] and not (self._data.series or self._data.ticks):
            return [
                "on_candle was never called: the data have quotes only; follow them with on_quote "
                "(--timeframe makes no candles of quotes)"
            ]
        return [f"on_{kind} was never called: no {kind}s were sent" for kind in hooks]


def backtest(
    strategy: Strategy,
    data: "LoadedData | Source",
    *,
    subscriptions: str = "",
    on_error: OnError = "stop",
    **options: Any,
) -> Results:
    """Run a strategy over data; gives back what came of it, which prints as a table.

    Also where an event loop is running already, as in a notebook.

    Args:
        data: What `read_data` has read, which may be used again and again, or what it takes.
        subscriptions: What the strategy receives, such as `S:AAPL:candle_5m,C:BTCUSD:quote`; by
            default all quotes, and the finest candles of each symbol.
        on_error: What a failing hook does: `stop` or `continue`.
        options: Those of the exchange: `cash`, `fee_rate`, `slippage`, `children`, …; limits on
            risk: `max_order_notional`, `max_daily_loss`, …; `lot_size` and `tick_size`, a number or
            numbers by symbol. `splits` is a file, or a list such as `["AAPL 2:1 2005-02-28"]`.

    Raises:
        HookFailed: A hook of the strategy raised; `__cause__` is what it raised.
        DataError: The data cannot be read.
        ConfigError: A value that cannot be one, `subscriptions` that want nothing of the data, or
            a strategy that has run before.
        TypeError: There is no option of a name, or what is given is no strategy or no data.
    """
    if isinstance(strategy, type):
        name = strategy.__name__
        raise TypeError(f"{name} is a class; give an object of it: backtest({name}(), …)")
    if not isinstance(strategy, Strategy):
        raise TypeError(f"backtest() runs an object of your strategy, and no {_kind(strategy)}")
    if not isinstance(subscriptions, str):
        raise TypeError(
            "subscriptions are a text such as 'S:AAPL:candle_5m,C:BTCUSD:quote', and no "
            f"{_kind(subscriptions)}"
        )
    exchange_options, limits, rounding = options_from(options)
    loaded = data if isinstance(data, LoadedData) else read_data(data)
    wanted = parse_subscriptions(subscriptions, "subscriptions")
    missing = unmet(wanted, loaded, "subscriptions")
    run = Backtest(
        strategy,
        loaded,
        options=exchange_options,
        limits=limits,
        rounding=rounding,
        subscriptions=wanted,
        on_error=on_error,
    )
    _drive(run)
    return run.results(f"nothing came of {entry}: {said}" for entry, said in missing.items())


def _drive(run: Backtest) -> None:
    """Run to the end; Ctrl-C is an error at once, and not only between two turns of a loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with _no_handler_of_asyncio():
            asyncio.run(run.run())
        return
    with ThreadPoolExecutor(1) as beside:
        try:
            beside.submit(copy_context().run, asyncio.run, run.run()).result()
        except KeyboardInterrupt:
            run.runner.interrupt()
            raise


@contextmanager
def _no_handler_of_asyncio() -> Iterator[None]:
    """Have Ctrl-C raise where it finds the program, as it does without asyncio.

    Where it is not handled in Python's own way, asyncio leaves it alone.
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


Source: TypeAlias = str | Path | Frame | Mapping[str, Frame]
"""A path, a table such as a data frame, or tables by symbol."""


def read_data(
    *sources: Source,
    symbol: str | None = None,
    timeframe: str | None = None,
    tz: str = "UTC",
    columns: Sequence[str] = (),
    dates: Dates | None = None,
    decimals: Decimals | None = None,
    start: date | datetime | str | None = None,
    end: date | datetime | str | None = None,
    strict: bool = False,
) -> LoadedData:
    """Read bars, quotes and trades from files, folders and data frames, for any number of
    backtests.

    Args:
        sources: CSV, Parquet or Feather files, recordings of `strategy-run --record`, or folders of
            them; data frames of pandas or polars and tables of pyarrow, by symbol where no column
            says it: `{"AAPL": frame}`.
        symbol: Read this one only. A file that has no such column has the symbol it is named after;
            where none is named after the one given, all such files have that, and so do tables.
        timeframe: Length of the candles, such as `1h`, made of finer data; orders still fill in the
            finer bars. By default as the data say.
        tz: Time zone of times that name none.
        columns: What the columns are, from left to right, such as `["time", "open", "high", "low",
            "close", "volume"]`; for files without a header, or with names that are not known.
        dates: What comes first in dates such as 03/04/2024: `"mdy"` for the month, `"dmy"` for the
            day. By default they are refused.
        decimals: The decimal mark in the numbers of a CSV, `"comma"` or `"point"`; the other one
            may separate thousands then, which nothing may by default.
        start, end: Skip bars before `start`, and from `end` on.
        strict: Refuse data with duplicate, out-of-order or impossible rows instead of mending them,
            which `faults` of what is given back tells of.

    Raises:
        DataError: Names file, line and column.
        ConfigError: One of the others cannot be understood.
    """
    given: list[str | Path | Table] = []
    for each in sources:
        given += _sources_of(each)
    if not given or "" in given:
        raise ConfigError("name a file or a folder to read")
    if isinstance(columns, str):
        raise ConfigError(f"columns is a list of names: {columns.split(',')!r}, and no text")
    if dates not in (None, *get_args(Dates)):
        raise ConfigError(f"dates is 'dmy' or 'mdy', not {dates!r}")
    if decimals not in (None, *get_args(Decimals)):
        raise ConfigError(f"decimals is 'point' or 'comma', not {decimals!r}")
    return load_bars(
        given,
        symbol=symbol,
        timeframe=timeframe,
        tz=tz,
        columns=columns,
        dates=dates,
        decimals=decimals,
        start=_instant("start", start, tz, dates),
        end=_instant("end", end, tz, dates),
        strict=strict,
    )


def _sources_of(source: object) -> Iterator[str | Path | Table]:
    if isinstance(source, str | Path):
        yield source
    elif is_frame(source):
        yield table_of(source, None)
    elif isinstance(source, Mapping) and all(map(is_frame, source.values())):
        yield from (table_of(frame, symbol) for symbol, frame in source.items())
    else:
        raise TypeError(
            "read_data() takes paths and data frames, one after the other, as in "
            f"read_data('a.csv', 'b.csv') or read_data({{'AAPL': frame}}), and no {_kind(source)}"
        )


def _instant(name: str, moment: date | str | None, tz: str, dates: Dates | None) -> datetime | None:
    if moment is None:
        return None
    if not isinstance(moment, str | date):
        raise ConfigError(f"{name}: write a date, a datetime or a text, not {moment!r}")
    text = moment if isinstance(moment, str) else moment.isoformat()
    return instant_of(text, zone_of(tz), name, dates)


def _kind(value: object) -> str:
    return type(value).__name__


_ELSEWHERE = {
    **dict.fromkeys(("commission", "fee", "fees"), "fee_rate"),
    **dict.fromkeys(("capital", "initial_capital", "initial_cash"), "cash"),
    "margin": "leverage",
    "hedging": "mode",
}
"""What other engines call some of the options."""


def _hint_for(name: str, known: Iterable[str]) -> str:
    if name in _ELSEWHERE:
        return f"; here it is {_ELSEWHERE[name]}"
    if name in signature(read_data).parameters:
        return f"; read_data(…, {name}=…) takes it, and the data it gives are those to run over"
    return did_you_mean(name, known) or (
        f"; there are {', '.join(known)} (a parameter of the strategy is given to its class)"
    )


def options_from(given: Mapping[str, Any]) -> tuple[ExchangeOptions, Limits, Rounding]:
    """The options of the exchange, the limits on risk and the rounding of orders, of all that is
    given by name.

    Raises:
        TypeError: A name that is none of theirs.
        ConfigError: A value that cannot be one.
    """
    kinds = ExchangeOptions, Limits, Rounding
    known = {field.name: field for kind in kinds for field in fields(kind)}
    values: dict[str, Any] = {}
    for name, value in given.items():
        field = known.get(name)
        if field is None:
            raise TypeError(f"there is no option {name!r}{_hint_for(name, known)}")
        if name == "splits":
            values[name] = splits_of(value)
            continue
        if name in Rounding.__struct_fields__:
            values[name] = steps_of(value, name)
            continue
        option = Parameter("backtest", name, field.type, field.default, required=False)
        is_mode = name == "mode" and isinstance(value, str)
        values[name] = option.convert(value.upper() if is_mode else value)
    options, limits, rounding = (
        {name: values[name] for name in kind.__struct_fields__ if name in values} for kind in kinds
    )
    return ExchangeOptions(**options), Limits(**limits), Rounding(**rounding)
