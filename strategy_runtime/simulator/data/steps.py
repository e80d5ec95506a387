"""How long the bars of a file are: as the user says, or as the bars do."""

from collections import Counter
from collections.abc import Mapping
from itertools import islice, pairwise
from math import gcd

from strategy_runtime.errors import DataError
from strategy_runtime.protocol.timeframes import KNOWN_TIMEFRAMES, parse_timeframe
from strategy_runtime.simulator.data.rows import RowCollector

__all__ = ["timeframes_of"]

_KNOWN = {
    timeframe.nanoseconds: timeframe.text
    for timeframe in map(parse_timeframe, KNOWN_TIMEFRAMES)
    if timeframe.seconds is not None
}
_MONTHS = [days * 86_400 * 10**9 for days in (28, 29, 30, 31)]
_SAMPLE = 10_000


def timeframes_of(
    collectors: Mapping[str, RowCollector], given: str | None
) -> dict[str, tuple[str, int]]:
    """Timeframe of each symbol's bars and its length in nanoseconds.

    Args:
        given: Of the candles wanted: finer bars keep their own.

    Raises:
        DataError: The bars are coarser than `given`, or do not show their length.
        TimeframeError: `given` is no timeframe.
    """
    found: dict[str, tuple[str, int]] = {}
    undecided = []
    for name, collector in collectors.items():
        distances = _distances(collector)
        what = f"{collector.source}: the bars of {name}"
        if given is not None:
            found[name] = _checked(given, distances, what)
        elif not distances:
            undecided.append(name)
        else:
            found[name] = _inferred(distances, what)
    for name in undecided:
        others = set(found.values())
        if len(others) != 1:
            raise DataError(
                f"{collectors[name].source}: one bar of {name} does not show its timeframe; say "
                "which with --timeframe"
            )
        found[name] = others.pop()
    return found


def _inferred(distances: Counter[int], what: str) -> tuple[str, int]:
    step = _most_common(distances, what)
    if step in _KNOWN:
        return _KNOWN[step], step
    raise DataError(
        f"{what} are mostly {step / 10**9:g} s apart, which is no usual timeframe; say which with "
        "--timeframe"
    )


def _checked(given: str, distances: Counter[int], what: str) -> tuple[str, int]:
    """The timeframe given, or the finer one of the data that it can be made of."""
    length = parse_timeframe(given).nanoseconds
    if not distances:
        return given, length
    step = _most_common(distances, what)
    if length % step == 0 and step in _KNOWN:
        return _KNOWN[step], step
    if step % length:
        raise DataError(
            f"{what} are mostly {step / 10**9:g} s apart, which does not fit the timeframe {given}"
        )
    # Bars of a day taken for bars of a minute would tell the close of the day at its beginning.
    # Bars of a minute that are rare are apart by many distances, with no longer one in common.
    common = gcd(*distances)
    if common > length and distances.total() > 1:
        raise DataError(
            f"{what} are {common // 10**9} s apart or a multiple of that, too coarse for the "
            f"timeframe {given}"
        )
    return given, length


def _distances(collector: RowCollector) -> Counter[int]:
    """How often neighbouring bars are how far apart."""
    sample = sorted(set(islice(collector.starts, _SAMPLE)))
    return Counter(after - before for before, after in pairwise(sample))


def _most_common(distances: Counter[int], what: str) -> int:
    step = min(distances, key=lambda step: (-distances[step], step not in _KNOWN, step))
    if step in _MONTHS:
        raise DataError(
            f"{what} are months apart, and months differ in length; load daily or weekly bars"
        )
    return step
