"""The hash by which runs are compared."""

from collections.abc import Iterable
from hashlib import sha256
from operator import attrgetter

from strategy_runtime.clock import rfc3339
from strategy_runtime.protocol.enums import Side
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.simulator.outcome import Fill

__all__ = ["fill_hash"]


def fill_hash(fills: Iterable[Fill]) -> str:
    """Return the SHA-256 of a run's fills, as hexadecimal digits.

    The input is one line per fill, `bar,symbol,signed quantity,price`, each with a line feed, in
    UTF-8: the start of the bar in RFC 3339, a negative quantity for a sale, decimals without
    exponent or trailing zeros. Lines are in order of simulated time, fills at the same time in the
    order in which they happened. Fees and ids are left out, so runs that trade alike have the same
    hash whatever they pay.
    """
    lines = [
        f"{rfc3339(fill.bar_ns)},{fill.symbol},{'-' if fill.side is Side.SELL else ''}"
        f"{in_digits(fill.quantity)},{in_digits(fill.price)}\n"
        for fill in sorted(fills, key=attrgetter("time_ns"))
    ]
    return sha256("".join(lines).encode()).hexdigest()
