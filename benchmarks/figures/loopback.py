"""The same strategy in process and over loopback sockets, with one acknowledgement per bar."""

from functools import partial
from pathlib import Path

from benchmarks import market
from benchmarks.engines import digest
from benchmarks.measure import Sample, child, in_turns, medians
from benchmarks.scale import Scale
from benchmarks.tables import Table, rounded
from benchmarks.whole import fills_in

__all__ = ["measure"]

_ENOUGH_TO_START = 2


def measure(scale: Scale) -> list[Table]:
    """Measure without start-up on both sides."""
    bars = max(scale.bars // 50, 2_000)
    folder = market.write(scale.market, 1, bars)
    columns = market.read(folder)[0]
    path, few = scale.market / "S0.csv", scale.market / "few" / "S0.csv"
    few.parent.mkdir(exist_ok=True)
    market.write_csv(columns, path)
    market.write_days(columns, few, _ENOUGH_TO_START)
    cases = {
        "in process": partial(child, "benchmarks.engines", "ours", folder),
        "over sockets": partial(_over_sockets, path),
        "only started": partial(_over_sockets, few),
    }
    found = {name: medians(samples) for name, samples in in_turns(cases, scale.repeats).items()}
    inside, outside, started = found.values()
    cpu = outside["cpu_s"] - started["cpu_s"]
    client = outside["client_cpu_s"] - started["client_cpu_s"]
    note = f"{int(inside['fills']):,} fills, the same in both."
    if outside["digest"] != inside["digest"]:
        note = "The fills differ, so the figures mean nothing."
    rows = [
        ("in process", inside["cpu_s"], inside["cpu_s"], inside["wall_s"]),
        ("strategy-proxy and strategy-run", cpu, client, outside["wall_s"]),
    ]
    return [
        Table(
            title=f"In process and over loopback, {bars:,} bars, one acknowledgement per bar",
            rows=[
                {
                    "run": name,
                    "CPU µs/bar": rounded(both / bars * 1e6),
                    "of the strategy's process": rounded(own / bars * 1e6),
                    "wall µs/bar": rounded(wall / bars * 1e6),
                    "CPU of in process": rounded(both / inside["cpu_s"]),
                    "wall of in process": rounded(wall / inside["wall_s"]),
                }
                for name, both, own, wall in rows
            ],
            note=f"{note} A runner that has connected and got two bars had a peak of "
            f"{started['client_rss_mb']:.3g} MiB.",
        )
    ]


def _over_sockets(path: Path) -> Sample:
    fills = path.with_suffix(".fills.csv")
    sample = child("benchmarks.whole.over_sockets", path, fills, cwd=path.parent)
    return {**sample, "digest": digest(fills_in(fills))}
