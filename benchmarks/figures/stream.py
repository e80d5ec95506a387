"""The connection: free-running, in lock-step, and from candle to order, beside a bare client."""

from importlib.util import find_spec

from benchmarks.measure import in_slices, medians
from benchmarks.scale import Scale
from benchmarks.tables import Table, rounded

__all__ = ["measure"]

_NOTE = (
    "Both decode every frame to a struct with the same fields, times as datetimes, call a method "
    "with the bar, and acknowledge the same ids. The bare client knows the size of a batch. It "
    "does not validate events, remember ids, keep a clock, a book or indicators, or reconnect; its "
    "order is always the same bytes, and in the free-running stream its hook runs on the reading "
    "thread."
)
_OFTEN = 3  # a turn may take a third longer in one process than in the next
_FAST = "uvloop" if find_spec("uvloop") else "asyncio"


def measure(scale: Scale) -> list[Table]:
    """Measure four tables: the stream, two of lock-step, and orders."""
    return [
        _table("Free-running stream", "free", (1,), scale.events, scale, (_FAST,)),
        _table("Lock-step", "step", (1, 10, 100), scale.trips, scale, (_FAST,)),
        _table("Lock-step on asyncio", "step", (1,), scale.trips, scale, ("asyncio", "asyncio64")),
        _table("Candle in, order out", "order", (1,), scale.trips, scale, (_FAST,)),
    ]


def _table(
    title: str,
    mode: str,
    batches: tuple[int, ...],
    count: int,
    scale: Scale,
    loops: tuple[str, ...],
) -> Table:
    rows = []
    for batch in batches:
        names = [("bare", loop) for loop in loops] + [("ours", loops[0])]
        commands = {
            f"{who} {loop}": ("benchmarks.wire", who, loop, mode, batch, count)
            for who, loop in names
        }
        often = scale.repeats if mode == "free" else scale.repeats * _OFTEN
        turns_of_all = [in_slices(commands) for _ in range(often)]
        found = {name: medians([turn[name] for turn in turns_of_all]) for name in commands}
        least = min(each["cpu_s"] for name, each in found.items() if name.startswith("bare"))
        turns = found[next(iter(found))]["events"] / batch
        for name, each in found.items():
            row = {
                "client": name,
                "batch": batch,
                "CPU µs/batch": rounded(each["cpu_s"] / turns * 1e6),
                "of bare": rounded(each["cpu_s"] / least),
                "peak MiB": rounded(each["rss_mb"]),
            }
            if mode != "free":
                row["p50 µs"] = rounded(each["p50_us"])
            rows.append(row)
    return Table(title=f"{title}, {count:,} turns", rows=rows, note=_NOTE)
