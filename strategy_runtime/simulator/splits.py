"""Splits that nobody announced: jumps of the price that look like one (design 4, rule 9).

Prices that were not adjusted fall to a half overnight when a share becomes two. A position held
over such a night shows a loss that nobody had. A real fall hardly ever hits a whole ratio as
closely as a split does; this looks for jumps within three per cent of one.
"""

__all__ = ["suspected_split"]

_RATIOS = {f"{ratio}:1": float(ratio) for ratio in (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 50)} | {
    "3:2": 1.5,
    "4:3": 4 / 3,
    "5:2": 2.5,
}
_NEARNESS = 0.03


def suspected_split(close: float, open: float) -> str | None:
    """The split that the jump from a close to the next open looks like, such as `2:1`, or None."""
    for name, ratio in _RATIOS.items():
        if abs(close / open / ratio - 1) <= _NEARNESS:
            return name
        if abs(open / close / ratio - 1) <= _NEARNESS:
            new, _, old = name.partition(":")
            return f"{old}:{new}"
    return None
