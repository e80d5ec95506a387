"""Brackets whose prices are slips: the run goes on, and its results say so."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from strategy_runtime.backtesting import backtest
from strategy_runtime.protocol.enums import Side
from strategy_runtime.runtime.desk.misplaced import MisplacedLegs
from tests.strategies import Scripted

WRONG_SIDE = "on the wrong side of the price, where it closes the position at once"
SHARE = (
    "so far below the price that it looks like a share of it; stop_loss= and take_profit= are "
    "prices, as in stop_loss=candle.close * 0.95"
)


def warnings_of(folder: Path, *orders: Callable[[Any], object]) -> list[str]:
    """What is said of orders at a last price of 100."""
    prices = folder / "A.csv"
    prices.write_text(
        "timestamp,open,high,low,close\n"
        + "".join(f"2024-01-0{day},100,100,100,100\n" for day in range(1, 4))
    )
    strategy = Scripted({0: lambda self, candle: [order(self) for order in orders]})
    return backtest(strategy, prices).summary.warnings


@pytest.mark.parametrize(
    ("verb", "leg", "fault"),
    [
        ("buy", "stop_loss=101", WRONG_SIDE),
        ("buy", "take_profit=99", WRONG_SIDE),
        ("sell", "stop_loss=99", WRONG_SIDE),
        ("sell", "take_profit=101", WRONG_SIDE),
        ("buy", "stop_loss=0.05", SHARE),
        ("sell", "take_profit=0.1", SHARE),
    ],
)
def test_a_slip_is_named_with_its_order(tmp_path: Path, verb: str, leg: str, fault: str) -> None:
    name, _, price = leg.partition("=")
    warnings = warnings_of(
        tmp_path, lambda self: getattr(self, verb)("A", 1, **{name: float(price)})
    )
    assert warnings == [f"{leg} of a {verb} of A at 100 is {fault} (1 of 1 brackets)"]


@pytest.mark.parametrize(
    ("order", "entry"),
    [
        (lambda self: self.buy("A", 1, limit=90, stop_loss=95), 90),
        (lambda self: self.buy("A", 1, limit=110, stop_loss=105), 100),
        (lambda self: self.sell("A", 1, limit=110, stop_loss=105), 110),
        (lambda self: self.buy("A", 1, stop=110, take_profit=105), 110),
        (lambda self: self.buy("A", 1, stop=90, stop_loss=101), 100),
        (lambda self: self.sell("A", 1, stop=90, limit=89, stop_loss=80), 90),
    ],
)
def test_it_is_measured_at_what_the_order_would_fill_at(
    tmp_path: Path, order: Callable[[Any], object], entry: int
) -> None:
    (warning,) = warnings_of(tmp_path, order)
    assert f" of A at {entry} is {WRONG_SIDE} (1 of 1 brackets)" in warning


def test_a_bracket_with_its_legs_the_wrong_way_round_counts_once(tmp_path: Path) -> None:
    order = lambda self: self.buy("A", 1, stop_loss=101, take_profit=99)  # noqa: E731
    assert warnings_of(tmp_path, order, order) == [
        f"stop_loss=101 of a buy of A at 100 is {WRONG_SIDE} (2 of 2 brackets)"
    ]


def test_only_the_first_of_a_kind_is_named_and_all_are_counted(tmp_path: Path) -> None:
    warnings = warnings_of(
        tmp_path,
        lambda self: self.buy("A", 1),
        lambda self: self.buy("A", 1, stop_loss=95, take_profit=105),
        lambda self: self.buy("A", 1, stop_loss=100, take_profit=100),
        lambda self: self.buy("A", 1, stop_loss=120),
        lambda self: self.buy("A", 1, take_profit=0.2),
        lambda self: self.buy("A", 1, stop_loss=130),
    )
    assert warnings == [
        f"stop_loss=120 of a buy of A at 100 is {WRONG_SIDE} (2 of 5 brackets)",
        f"take_profit=0.2 of a buy of A at 100 is {SHARE} (1 of 5 brackets)",
    ]


def legs_of(*, limit: int | None = None) -> dict[str, Decimal | None]:
    own = None if limit is None else Decimal(limit)
    return {
        "limit_price": own,
        "stop_price": None,
        "stop_loss": Decimal(101),
        "take_profit": None,
    }


def test_before_there_is_a_price_an_order_is_measured_at_its_own() -> None:
    slips = MisplacedLegs()
    assert slips.check("S:A", Side.BUY, legs_of(), None) is None
    assert slips.check("S:A", Side.BUY, legs_of(limit=100), None) == (
        f"stop_loss=101 of a buy of S:A at 100 is {WRONG_SIDE}"
    )
    assert slips.check("S:A", Side.BUY, legs_of(limit=100), None) is None  # it was said
    assert [*slips] == [f"stop_loss=101 of a buy of S:A at 100 is {WRONG_SIDE} (2 of 2 brackets)"]
