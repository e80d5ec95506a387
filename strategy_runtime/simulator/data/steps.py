"""Finds the timeframe of bars, from what the user says or from the distances between bars."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from math import gcd
from operator import sub
from typing import TypeVar

from strategy_runtime.clock import DAY_NS, NANOSECONDS
from strategy_runtime.errors import DataError
from strategy_runtime.protocol.timeframes import KNOWN_TIMEFRAMES, parse_timeframe
from strategy_runtime.simulator.data.rows import Rows
from strategy_runtime.simulator.data.timestamps import LONGEST_CLOCK_CHANGE

__all__ = ["timeframes_of"]

_KNOWN = {
    timeframe.nanoseconds: timeframe.text
    for timeframe in map(parse_timeframe, KNOWN_TIMEFRAMES)
    if timeframe.seconds is not None
}
_HALF_AN_HOUR = 1800 * NANOSECONDS
_MONTHS = [days * DAY_NS for days in (28, 29, 30, 31)]
_SEVERAL = [days * DAY_NS for days in (*range(90, 93), *range(181, 185), 365, 366)]
"""Quarters, half-years and years."""
_MONTHLY = "{} are months apart, and months differ in length; load daily or weekly bars"
_SAMPLE = 10_000
_BY_CHANCE = 1e-6

_Group = TypeVar("_Group", int, str)


def timeframes_of(parts: Sequence[Rows], given: str | None) -> list[tuple[str, int]]:
    """Return the timeframe of the bars of each part, and its length in nanoseconds.

    Parts of one symbol may have different timeframes. Sparse bars of a fine timeframe look like
    bars of a coarser one. If there are so few that this may be rng, they get the timeframe of
    other symbols in their file, or that of another part of their symbol if they are not aligned
    with the coarser one.

    Args:
        given: Timeframe of the candles wanted. Finer bars keep their own timeframe, and so do
            coarser ones if their symbol has finer bars too.

    Raises:
        DataError: The bars are coarser than `given`, or do not show their timeframe.
        TimeframeError: `given` is no timeframe.
    """
    seen = [_distances(part) for part in parts]
    found: dict[int, tuple[str, int]] = {}
    refused: list[tuple[int, DataError]] = []
    for index, (part, distances) in enumerate(zip(parts, seen, strict=True)):
        what = f"{part.source}: the bars of {part.symbol}"
        try:
            if part.timeframe:
                found[index] = _said(part.timeframe, given, what)
            elif given is not None:
                found[index] = _checked(given, distances, what)
            elif distances:
                found[index] = _inferred(distances, what)
        except DataError as error:
            refused.append((index, error))
    shown = {index: timeframe for index, timeframe in found.items() if seen[index]}
    in_file = _finest(shown, [part.file for part in parts])
    for index, part in enumerate(parts):
        likely = in_file.get(part.file)
        if likely and not part.timeframe and _may_be_rare(seen[index], likely[1]):
            found[index] = likely
    finest = _finest(found, [part.symbol for part in parts])
    for index, refusal in refused:
        if index in found:
            continue
        part = parts[index]
        if given is None or part.symbol not in finest:
            raise refusal
        what = f"{part.source}: the bars of {part.symbol}"
        said = part.timeframe
        found[index] = _said(said, None, what) if said else _inferred(seen[index], what)
    for index, part in enumerate(parts):
        if index not in found:
            found[index] = _like_the_others(parts, index, found)
        elif seen[index] and not part.timeframe and gcd(*seen[index]) % found[index][1]:
            fine = finest[part.symbol]
            if _may_be_rare(seen[index], fine[1]):
                found[index] = fine
    return [found[index] for index in range(len(parts))]


def _finest(
    found: Mapping[int, tuple[str, int]], groups: Sequence[_Group]
) -> dict[_Group, tuple[str, int]]:
    """Return the finest timeframe found in each group of parts."""
    finest: dict[_Group, tuple[str, int]] = {}
    for index, timeframe in found.items():
        known = finest.get(groups[index])
        if known is None or timeframe[1] < known[1]:
            finest[groups[index]] = timeframe
    return finest


def _may_be_rare(distances: Counter[int], step: int) -> bool:
    """Return whether bars of a timeframe may be so sparse that they look like longer ones."""
    if not distances:
        return True
    common = gcd(*distances)
    return common % step == 0 and (step / common) ** distances.total() > _BY_CHANCE


def _like_the_others(
    parts: Sequence[Rows], index: int, found: Mapping[int, tuple[str, int]]
) -> tuple[str, int]:
    """Return the timeframe for a single bar: that of its symbol's other parts, or of all."""
    part = parts[index]
    for others in (
        {found[other] for other in found if parts[other].symbol == part.symbol},
        {*found.values()},
    ):
        if len(others) == 1:
            return others.pop()
    raise DataError(
        f"{part.source}: one bar of {part.symbol} does not show its timeframe; say which with "
        "--timeframe"
    )


def _said(said: str, given: str | None, what: str) -> tuple[str, int]:
    """Return the timeframe named in the data, if the one given can be made of it."""
    timeframe = parse_timeframe(said)
    if timeframe.seconds is None:
        raise DataError(_MONTHLY.format(what))
    if given is not None and parse_timeframe(given).nanoseconds % timeframe.nanoseconds:
        raise DataError(f"{what} are {said}, of which no candles of {given} can be made")
    return timeframe.text, timeframe.nanoseconds


def _inferred(distances: Counter[int], what: str) -> tuple[str, int]:
    step = _most_common(distances, what)
    if step in _KNOWN:
        return _KNOWN[step], step
    if step in _SEVERAL:
        raise DataError(_MONTHLY.format(what))
    apart = f"{what} are mostly {_in_words(step)} apart, which is"
    if step < NANOSECONDS:
        raise DataError(f"{apart} finer than any timeframe; load bars of a second or more")
    raise DataError(f"{apart} no usual timeframe; say which with --timeframe")


def _checked(given: str, distances: Counter[int], what: str) -> tuple[str, int]:
    """Return the timeframe given, or the finer one of the data that it can be made of."""
    length = parse_timeframe(given).nanoseconds
    if not distances:
        return given, length
    step = _most_common(distances, what)
    if length % step == 0 and step in _KNOWN:
        return _KNOWN[step], step
    if step % length:
        raise DataError(
            f"{what} are mostly {_in_words(step)} apart, which does not fit the timeframe {given}"
        )
    # Daily bars taken for minute bars would reveal the close of the day at its start. Sparse minute
    # bars have many different distances, without a longer common divisor.
    common = gcd(*distances)
    if common > length and distances.total() > 1:
        raise DataError(
            f"{what} are {_in_words(common)} apart or a multiple of that, too coarse for the "
            f"timeframe {given}"
        )
    return given, length


def _in_words(step: int) -> str:
    """Return a distance in days if it is whole days, else in seconds."""
    days, rest = divmod(step, DAY_NS)
    return f"{step / NANOSECONDS:.15g} s" if rest else "a day" if days == 1 else f"{days} days"


def _distances(part: Rows) -> Counter[int]:
    """Count the distances between neighbouring bars, correcting days for clock changes."""
    sample = sorted(set(islice(part.table.stamps(), _SAMPLE)))
    distances = Counter(map(sub, sample[1:], sample))
    if not distances or min(distances) < DAY_NS - LONGEST_CLOCK_CHANGE:
        return distances
    by_clock: Counter[int] = Counter()
    for distance, count in distances.items():
        by_clock[_by_clock(distance)] += count
    return by_clock


def _by_clock(distance: int) -> int:
    """Return a distance in whole days if only a clock change makes it differ from that."""
    odd = (distance + LONGEST_CLOCK_CHANGE) % DAY_NS - LONGEST_CLOCK_CHANGE
    return distance - odd if odd <= LONGEST_CLOCK_CHANGE and not odd % _HALF_AN_HOUR else distance


def _most_common(distances: Counter[int], what: str) -> int:
    step = min(distances, key=lambda step: (-distances[step], step not in _KNOWN, step))
    if step in _MONTHS:
        raise DataError(_MONTHLY.format(what))
    return step
