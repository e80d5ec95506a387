"""The in-process backtest beside the bare loop and the engines of others, bar by bar."""

from collections.abc import Callable
from functools import partial

from benchmarks import market
from benchmarks.measure import Sample, child, in_turns, medians
from benchmarks.peers import interpreter
from benchmarks.scale import Scale
from benchmarks.tables import Table, rounded

__all__ = ["measure"]


def measure(scale: Scale) -> list[Table]:
    """One symbol, and ten of a tenth of the bars each."""
    return [_measure(scale, symbols) for symbols in (1, 10)]


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
