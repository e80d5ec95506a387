"""A run with each optional thing off and on."""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

from benchmarks import market
from benchmarks.engines import CASH
from benchmarks.engines.ours import series_of
from benchmarks.measure import Sample, child, in_turns, medians
from benchmarks.scale import Scale
from benchmarks.strategies import SmaCross
from benchmarks.tables import Table, rounded
from strategy_runtime import Candle, Strategy, crossed_above, crossed_below
from strategy_runtime.runtime.limited import desk_for
from strategy_runtime.runtime.limits import NO_LIMITS, Limits
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


class WithHooks(SmaCross):
    def on_order(self, event: Any) -> None: ...
    def on_trade(self, trade: Any) -> None: ...
    def on_position(self, event: Any) -> None: ...
    def on_account(self, event: Any) -> None: ...


class AsCoroutine(SmaCross):
    async def on_candle(self, candle: Candle) -> None:  # type: ignore[override]
        super().on_candle(candle)


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
"""Limits none of which is ever reached."""

_CASES: dict[str, tuple[Callable[[], Strategy], Mapping[str, Any], Limits]] = {
    "everything off": (SmaCross, {}, NO_LIMITS),
    "fees, slippage, volume share": (SmaCross, _COSTS, NO_LIMITS),
    "limits on risk": (SmaCross, {}, _FAR),
    "history of 50 candles": (WithHistory, {}, NO_LIMITS),
    "a timer every hour": (WithTimer, {}, NO_LIMITS),
    "a hook for every event of an order": (WithHooks, {}, NO_LIMITS),
    "a hook that is a coroutine": (AsCoroutine, {}, NO_LIMITS),
    "short as often as long": (LongAndShort, {}, NO_LIMITS),
}

_METRICS = ("--ops-port", 0)
_LIMITS = tuple(
    part
    for name in Limits.__struct_fields__
    for part in ("--" + name.replace("_", "-"), getattr(_FAR, name))
)


def measure(scale: Scale) -> list[Table]:
    """In process, and in a runner behind a proxy."""
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

    things = {name: partial(run, *case) for name, case in _CASES.items()}
    return _table(f"Optional features, {bars:,} bars in process", things, scale.repeats)


def _connected(scale: Scale) -> list[Table]:
    """The CPU of the runner's own process, without what it takes to start."""
    bars = max(scale.bars // 50, 2_000)
    path, few = scale.market / "S0.csv", scale.market / "few" / "S0.csv"
    few.parent.mkdir(exist_ok=True)
    columns = market.make("S0", bars, seed=0)
    market.write_csv(columns, path)
    market.write_days(columns, few, 2)

    def run(*options: object) -> Sample:
        program, fills = "benchmarks.whole.over_sockets", scale.market / "fills.csv"
        some = child(program, few, fills, *options)["client_cpu_s"]
        spent = child(program, path, fills, *options)["client_cpu_s"] - some
        return {"cpu_us": spent / bars * 1e6}

    live = ("--mode", "live", "--state-dir")
    backtest = {
        "everything off": partial(run),
        "metrics": partial(run, *_METRICS),
        "limits on risk": partial(run, *_LIMITS),
        "both": partial(run, *_METRICS, *_LIMITS),
    }
    journal = (*live, scale.market / "state")
    kept = {
        "everything off": partial(run, *live, "none"),
        "a journal of orders": partial(run, *journal),
        "journal, metrics and limits": partial(run, *journal, *_METRICS, *_LIMITS),
    }
    title = f"Optional features, {bars:,} bars over sockets, the runner's process"
    return [
        _table(f"{title}, one bar an acknowledgement", backtest, scale.repeats),
        _table(f"{title}, live", kept, scale.repeats),
    ]


def _table(title: str, things: Mapping[str, Callable[[], Sample]], repeats: int) -> Table:
    found = {name: medians(samples) for name, samples in in_turns(things, repeats).items()}
    off = next(iter(found.values()))["cpu_us"]
    rows = [
        {
            "with": name,
            "CPU µs/bar": rounded(each["cpu_us"]),
            "of off": rounded(each["cpu_us"] / off),
        }
        for name, each in found.items()
    ]
    return Table(title=title, rows=rows)
