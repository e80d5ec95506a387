"""The in-process backtest beside the bare loop and the engines of others, bar by bar; and orders
that are replaced at every bar beside one of these.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import market
from benchmarks.measure import Sample, child, in_turns, medians
from benchmarks.peers import interpreter
from benchmarks.scale import Scale
from benchmarks.tables import Table, rounded

__all__ = ["measure"]

_OTHER = "backtesting_py"
_ANEW = {"LimitsAnew": "limit", "StopsAnew": "stop"}
_REPLACED = "In process, an order replaced at every bar"


def measure(scale: Scale) -> list[Table]:
    """One symbol, and ten of a tenth of the bars each; then orders that are replaced."""
    crossings = [_measure(scale, symbols) for symbols in (1, 10)]
    return [*crossings, _replaced(scale)] if scale.peer_repeats else crossings


def _replaced(scale: Scale) -> Table:
    """An order given at every bar in the place of the last one, here and in backtesting.py."""
    bars = scale.bars // 10
    folder = market.write(scale.market, 1, bars)
    python, missing = interpreter([_OTHER])
    if missing:
        return Table(title=_REPLACED, rows=[], note=f"{_OTHER} is left out: {missing[_OTHER]}.")
    rows: list[dict[str, Any]] = []
    for strategy, what in _ANEW.items():
        things = {
            "ours": partial(child, "benchmarks.engines", "ours", folder, strategy),
            _OTHER: partial(child, "benchmarks.engines", _OTHER, folder, strategy, python=python),
        }
        found = {name: medians(each) for name, each in in_turns(things, scale.repeats).items()}
        is_same = found["ours"]["digest"] == found[_OTHER]["digest"]
        rows += [
            {
                "order": what,
                "engine": name,
                "CPU µs/bar": rounded(each["cpu_s"] / bars * 1e6),
                "of ours": rounded(each["cpu_s"] / found["ours"]["cpu_s"]),
                "fills": each["fills"] if is_same else "differ",
            }
            for name, each in found.items()
        ]
    return Table(title=f"{_REPLACED}, {bars:,} bars", rows=rows)


def _measure(scale: Scale, symbols: int) -> Table:
    bars = scale.bars // symbols
    folder = market.write(scale.market, symbols, bars)
    things: dict[str, Callable[[], Sample]] = {
        name: partial(child, "benchmarks.engines", name, folder) for name in ("bare", "ours")
    }
    repeats = dict.fromkeys(things, scale.repeats)
    missing: dict[str, str] = {}
    if scale.peer_repeats:
        python, missing = interpreter()
        from benchmarks.peers import PEERS, QUICK

        for name in PEERS:
            if name not in missing:
                things[name] = partial(child, "benchmarks.engines", name, folder, python=python)
                repeats[name] = scale.repeats if name in QUICK else scale.peer_repeats
    found = {name: medians(samples) for name, samples in in_turns(things, repeats).items()}
    bare = found["bare"]
    total = bars * symbols
    rows = [
        {
            "engine": name,
            "CPU µs/bar": rounded(each["cpu_s"] / total * 1e6),
            "wall µs/bar": rounded(each["wall_s"] / total * 1e6),
            "of bare": rounded(each["cpu_s"] / bare["cpu_s"]),
            "of ours": rounded(each["cpu_s"] / found["ours"]["cpu_s"]),
            "load s": rounded(each["load_s"]),
            "peak MiB": rounded(each["rss_mb"]),
            "fills": each["fills"],
        }
        for name, each in found.items()
        if each["digest"] == bare["digest"]
    ]
    differ = [name for name, each in found.items() if each["digest"] != bare["digest"]]
    remarks = [f"{name} is left out: its fills differ." for name in differ]
    remarks += [f"{name} is left out: {why}." for name, why in missing.items()]
    if not scale.peer_repeats:
        remarks.append("The engines of others are left out of the short run.")
    return Table(
        title=f"In process, {symbols} x {bars:,} bars, SMA 10/30, market orders",
        rows=rows,
        note=" ".join(remarks),
    )
