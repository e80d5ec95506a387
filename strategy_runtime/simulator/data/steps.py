"""How long the bars of a file are: as the user says, or as the bars do."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import gcd

from strategy_runtime.errors import DataError
from strategy_runtime.protocol.timeframes import KNOWN_TIMEFRAMES, parse_timeframe
from strategy_runtime.simulator.data.series import BarSeries

__all__ = ["timeframes_of"]

_KNOWN = {
    timeframe.nanoseconds: timeframe.text
    for timeframe in map(parse_timeframe, KNOWN_TIMEFRAMES)
    if timeframe.seconds is not None
}
_MONTHS = [days * 86_400 * 10**9 for days in (28, 29, 30, 31)]
_SAMPLE = 10_000


def timeframes_of(parts: Sequence[BarSeries], given: str | None) -> list[tuple[str, int]]:
    """Timeframe of the bars of each symbol in each file, and its length in nanoseconds.

    Args:
        given: Of the candles wanted: finer bars keep their own, and so do coarser ones of a symbol
            that has finer ones too.

    Raises:
        DataError: The bars are coarser than `given`, or do not show their length.
        TimeframeError: `given` is no timeframe.
    """
    found: list[tuple[str, int] | None] = []
    for part in parts:
        distances = _distances(part)
        what = f"{part.place(0)[0]}: the bars of {part.symbol}"
        if given is not None and not _is_for_context(part, parts, distances, given):
            found.append(_checked(given, distances, what))
        else:
            found.append(_inferred(distances, what) if distances else None)
    return [
        each if each is not None else _as_others(part, parts, found)
        for part, each in zip(parts, found, strict=True)
    ]


def _is_for_context(
    part: BarSeries, parts: Sequence[BarSeries], distances: Counter[int], given: str
) -> bool:
    """Whether bars are longer than the candles wanted, and the symbol has shorter ones too."""
    if not distances or min(distances) <= parse_timeframe(given).nanoseconds:
        return False
    return any(
        other is not part
        and other.symbol == part.symbol
        and min(_distances(other), default=0) < min(distances)
        for other in parts
    )


def _as_others(
    part: BarSeries, parts: Sequence[BarSeries], found: Sequence[tuple[str, int] | None]
) -> tuple[str, int]:
    """The timeframe of a single bar: that of the symbol's other files, or of all others."""
    decided = [
        (other.symbol, each) for other, each in zip(parts, found, strict=True) if each is not None
    ]
    own = {each for symbol, each in decided if symbol == part.symbol}
    others = own or {each for _, each in decided}
    if len(others) != 1:
        raise DataError(
            f"{part.place(0)[0]}: one bar of {part.symbol} does not show its timeframe; say which "
            "with --timeframe"
        )
    return others.pop()


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


def _distances(part: BarSeries) -> Counter[int]:
    """How often neighbouring bars are how far apart."""
    sample = sorted(set(part.starts[:_SAMPLE]))
    return Counter(after - before for before, after in pairwise(sample))


def _most_common(distances: Counter[int], what: str) -> int:
    step = min(distances, key=lambda step: (-distances[step], step not in _KNOWN, step))
    if step in _MONTHS:
        raise DataError(
            f"{what} are months apart, and months differ in length; load daily or weekly bars"
        )
    return step
