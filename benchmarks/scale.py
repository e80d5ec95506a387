"""How much is measured: everything, or as much as fits into a minute."""

from pathlib import Path

from msgspec import Struct

__all__ = ["FULL", "SHORT", "Scale"]


class Scale(Struct, frozen=True, kw_only=True):
    """Sizes of one run.

    Attributes:
        bars: Of the in-process backtest, and of the files that are loaded.
        repeats: How often everything is measured, in turns.
        peer_repeats: The same for the slower engines of others; 0 leaves all of them out.
        events: Of the free-running stream.
        trips: Round trips in lock-step, and orders.
        counted: Bars whose instructions are counted, where there is valgrind; 0 leaves it out.
        market: Folder for made-up prices.
    """

    bars: int
    repeats: int
    peer_repeats: int
    events: int
    trips: int
    counted: int
    market: Path = Path()


FULL = Scale(bars=1_000_000, repeats=3, peer_repeats=1, events=300_000, trips=3_000, counted=1000)
SHORT = Scale(bars=50_000, repeats=1, peer_repeats=0, events=20_000, trips=200, counted=0)
