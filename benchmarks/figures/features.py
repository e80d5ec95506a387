"""The cost of each optional feature."""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from shutil import rmtree, which
from typing import Any, ClassVar

from msgspec.structs import replace

from benchmarks import market
from benchmarks.engines import CASH
from benchmarks.engines.ours import series_of
from benchmarks.measure import Sample, child, in_slices, in_turns, medians
from benchmarks.scale import Scale
from benchmarks.strategies import SmaCross
from benchmarks.tables import Table, rounded
from strategy_runtime import Candle, Strategy, crossed_above, crossed_below
from strategy_runtime.runtime.risk.limited import desk_for
from strategy_runtime.runtime.risk.limits import NO_LIMITS, Limits
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.venue import SimulatedVenue

__all__ = ["measure"]


class WithHistory(SmaCross):
    lookback: ClassVar[int] = 50


class WithTimer(SmaCross):
    def on_start(self) -> None:
        super().on_start()
        self.every("1h")

    def on_timer(self) -> None: ...


class WithBoth(WithHistory, WithTimer): ...


class WithHooks(SmaCross):
    def on_order(self, event: Any) -> None: ...
    def on_trade(self, trade: Any) -> None: ...
    def on_position(self, event: Any) -> None: ...
    def on_account(self, event: Any) -> None: ...


class AsCoroutine(SmaCross):
    async def on_candle(self, candle: Candle) -> None:  # type: ignore[override]
        super().on_candle(candle)


class Replaces(SmaCross):
    def on_candle(self, candle: Candle) -> None:
        self.cancel_all(candle.symbol)
        self.buy(candle.symbol, 1, limit=candle.close * 0.999)
        if self.position(candle.symbol).is_long:
            self.close(candle.symbol)


class LongAndShort(SmaCross):
    def on_candle(self, candle: Candle) -> None:
        quick, calm = self.quick[candle.symbol], self.calm[candle.symbol]
        if crossed_above(quick, calm):
            self.target(candle.symbol, quantity=1)
        elif crossed_below(quick, calm):
            self.target(candle.symbol, quantity=-1)


_COSTS = {
    "fee_rate": Decimal("0.0001"),
    "slippage": Decimal("0.0001"),
    "max_volume_share": Decimal("0.1"),
}
_MUCH = Decimal(10**9)
_FAR = Limits(
    max_orders_per_minute=10**6,
    max_order_notional=_MUCH,
    max_position_notional=_MUCH,
    max_daily_loss=_MUCH,
)
"""Limits that are never reached."""

_CASES: dict[str, tuple[Callable[[], Strategy], Mapping[str, Any], Limits]] = {
    "everything off": (SmaCross, {}, NO_LIMITS),
    "fees, slippage, volume share": (SmaCross, _COSTS, NO_LIMITS),
    "limits on risk": (SmaCross, {}, _FAR),
    "limits on risk but the loss of a day": (SmaCross, {}, replace(_FAR, max_daily_loss=None)),
    "history of 50 candles": (WithHistory, {}, NO_LIMITS),
    "a timer every hour": (WithTimer, {}, NO_LIMITS),
    "limits on risk, history, a timer": (WithBoth, {}, _FAR),
    "a hook for every event of an order": (WithHooks, {}, NO_LIMITS),
    "a hook that is a coroutine": (AsCoroutine, {}, NO_LIMITS),
    "short as often as long": (LongAndShort, {}, NO_LIMITS),
    "a limit order replaced at every bar": (Replaces, {}, NO_LIMITS),
}

_PART = 10
"""A run of one tenth of the bars has the same start-up costs, including what starts late."""

_STATE = "state"
_METRICS = ("--ops-port", 0)
_LIMITS = tuple(
    part
    for name in Limits.__struct_fields__
    for part in ("--" + name.replace("_", "-"), getattr(_FAR, name))
)


def measure(scale: Scale) -> list[Table]:
    """Measure in process, and in a runner behind a proxy."""
    return [_in_process(scale), *_connected(scale)]


def _in_process(scale: Scale) -> Table:
    bars = scale.bars // 5
    columns = market.make("S0", bars, seed=0)

    def run(make: Callable[[], Strategy], options: Mapping[str, Any], limits: Limits) -> Sample:
        exchange = Exchange([series_of(columns)], ExchangeOptions(cash=Decimal(CASH), **options))
        venue, desk = SimulatedVenue(exchange), desk_for(limits)
        runner = Runner(make(), venue, mode="backtest", desk=desk)
        gc.collect()
        began = time.process_time()
        asyncio.run(runner.run())
        return {"cpu_us": (time.process_time() - began) / bars * 1e6}

    cases = {name: partial(run, *case) for name, case in _CASES.items()}
    found = {name: medians(samples) for name, samples in in_turns(cases, scale.repeats).items()}
    return _table(f"Optional features, {bars:,} bars in process", found)


def _connected(scale: Scale) -> list[Table]:
    """Measure the runner's process, without its start-up."""
    bars = max(scale.bars // 50, 2_000)
    live = ("--mode", "live", "--state-dir")
    state = scale.market / _STATE
    backtest = {
        "everything off": (),
        "metrics": _METRICS,
        "limits on risk": _LIMITS,
        "a recording": ("--record", state / "one.jsonl"),
        "all three": (*_METRICS, *_LIMITS, "--record", state / "all.jsonl"),
    }
    kept = {
        "everything off": (*live, "none"),
        "a journal of orders": (*live, state / "journal"),
        "journal, metrics, limits and a recording": (
            *(*live, state / "all", *_METRICS, *_LIMITS),
            *("--record", state / "live.jsonl"),
        ),
    }
    title = f"Optional features, {bars:,} bars over sockets, the runner's process"
    return [
        _table(
            f"{title}, one acknowledgement per bar",
            _spent(backtest, bars, scale),
            _counted(backtest, scale),
        ),
        _table(f"{title}, live", _spent(kept, bars, scale)),
    ]


def _spent(cases: Mapping[str, Sequence[object]], bars: int, scale: Scale) -> dict[str, Sample]:
    """Return the CPU time per bar of each case: the difference between a run and a short one."""
    few = bars // _PART
    found: dict[str, list[Sample]] = {name: [] for name in cases}
    for _ in range((scale.repeats + 1) // 2):  # slices even out noise, so fewer repeats do
        spent = {}
        for rows in (few, bars):
            _clear(scale.market / _STATE)
            commands = {name: _over_sockets(rows, name, scale) for name in cases}
            spent[rows] = in_slices({name: (*commands[name], *cases[name]) for name in cases})
        for name, samples in found.items():
            some, all_of_it = (spent[rows][name]["client_cpu_s"] for rows in (few, bars))
            samples.append({"cpu_us": (all_of_it - some) / (bars - few) * 1e6})
    return {name: medians(samples) for name, samples in found.items()}


def _clear(state: Path) -> None:
    """Remove what another run left, or the next one would restore it."""
    rmtree(state, ignore_errors=True)
    state.mkdir()


def _counted(cases: Mapping[str, Sequence[object]], scale: Scale) -> dict[str, float]:
    """Return the instructions per bar of each case, which do not vary; empty without valgrind."""
    if not scale.counted or which("valgrind") is None:
        return {}
    counts = {}
    _clear(scale.market / _STATE)
    for name, options in cases.items():
        some, all_of_it = (
            child(*_over_sockets(rows, name, scale), "--counted", *options)["instructions"]
            for rows in (scale.counted // 2, scale.counted)
        )
        counts[name] = (all_of_it - some) / (scale.counted - scale.counted // 2)
    return counts


def _over_sockets(rows: int, name: str, scale: Scale) -> tuple[object, ...]:
    """Return the command for a run of so many bars over sockets, without options of the runner."""
    path = scale.market / str(rows) / "S0.csv"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        market.write_csv(market.make("S0", rows, seed=0), path)
    return "benchmarks.whole.over_sockets", path, scale.market / f"fills of {name}.csv"


def _table(
    title: str, found: Mapping[str, Sample], counts: Mapping[str, float] | None = None
) -> Table:
    off = next(iter(found))
    rows: list[dict[str, Any]] = []
    for name, each in found.items():
        row: dict[str, Any] = {
            "with": name,
            "CPU µs/bar": rounded(each["cpu_us"]),
            "of off": rounded(each["cpu_us"] / found[off]["cpu_us"]),
        }
        if counts:
            row["instructions/bar"] = round(counts[name])
            row["of those off"] = rounded(counts[name] / counts[off])
        rows.append(row)
    return Table(title=title, rows=rows)
