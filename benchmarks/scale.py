"""Sizes of the measurements: full, or short enough for a minute."""

from pathlib import Path

from msgspec import Struct

__all__ = ["FULL", "SHORT", "Scale"]


class Scale(Struct, frozen=True, kw_only=True):
    """Sizes of one run.

    Attributes:
        bars: Bars of the in-process backtest, and of the files that are loaded.
        repeats: How often everything is measured.
        peer_repeats: How often the slower ones of the other engines are; 0 leaves out all of them.
        events: Events of the free-running stream.
        trips: Round trips in lock-step, and orders.
        counted: Bars whose instructions are counted, if there is valgrind; 0 leaves it out.
        market: Folder for synthetic prices.
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
