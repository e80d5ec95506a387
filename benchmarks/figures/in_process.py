"""In-process backtests beside the bare loop and other engines, and orders replaced at every bar
beside one of these.
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
_ORDERS = {"ReplacedLimits": "limit", "ReplacedStops": "stop"}
_REPLACED = "In process, an order replaced at every bar"


def measure(scale: Scale) -> list[Table]:
    """Measure one symbol, ten symbols with a tenth of the bars each, and replaced orders."""
    crossings = [_measure(scale, symbols) for symbols in (1, 10)]
    return [*crossings, _replaced(scale)] if scale.peer_repeats else crossings


def _replaced(scale: Scale) -> Table:
    """Measure an order that is replaced at every bar, here and in backtesting.py."""
    bars = scale.bars // 10
    folder = market.write(scale.market, 1, bars)
    python, missing = interpreter([_OTHER])
    if missing:
        return Table(title=_REPLACED, rows=[], note=f"{_OTHER} is left out: {missing[_OTHER]}.")
    rows: list[dict[str, Any]] = []
    for strategy, what in _ORDERS.items():
        cases = {
            "ours": partial(child, "benchmarks.engines", "ours", folder, strategy),
            _OTHER: partial(child, "benchmarks.engines", _OTHER, folder, strategy, python=python),
        }
        found = {name: medians(each) for name, each in in_turns(cases, scale.repeats).items()}
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
    cases: dict[str, Callable[[], Sample]] = {
        name: partial(child, "benchmarks.engines", name, folder) for name in ("bare", "ours")
    }
    repeats = dict.fromkeys(cases, scale.repeats)
    missing: dict[str, str] = {}
    if scale.peer_repeats:
        python, missing = interpreter()
        from benchmarks.peers import PEERS, QUICK

        for name in PEERS:
            if name not in missing:
                cases[name] = partial(child, "benchmarks.engines", name, folder, python=python)
                repeats[name] = scale.repeats if name in QUICK else scale.peer_repeats
    found = {name: medians(samples) for name, samples in in_turns(cases, repeats).items()}
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
