"""What the hash of fills depends on."""

from hashlib import sha256

import pytest

from strategy_runtime.report.fill_hash import fill_hash
from tests.report.support import fill


def test_the_hash_is_taken_over_the_lines_the_documentation_says() -> None:
    fills = [fill("10", "179.130", number=1), fill("-2.50", "180", bar=1, fee="1", number=2)]
    lines = (
        "2023-11-14T22:14:00Z,S:A,10,179.13\n"  #
        "2023-11-14T22:15:00Z,S:A,-2.5,180\n"
    )
    assert fill_hash(fills) == sha256(lines.encode()).hexdigest()


def test_the_hash_of_no_fills() -> None:
    assert fill_hash([]) == sha256(b"").hexdigest()


def test_spelling_fees_and_ids_do_not_change_the_hash() -> None:
    one = fill_hash([fill("1.5", "10")])
    assert fill_hash([fill("1.50", "10.00", fee="3", number=9)]) == one


@pytest.mark.parametrize(
    "other",
    [
        fill("1.6", "10"),
        fill("-1.5", "10"),
        fill("1.5", "10.01"),
        fill("1.5", "10", bar=1),
        fill("1.5", "10", symbol="S:B"),
    ],
)
def test_what_was_traded_changes_the_hash(other: object) -> None:
    assert fill_hash([other]) != fill_hash([fill("1.5", "10")])  # type: ignore[list-item]


def test_the_order_of_time_counts_and_within_an_instant_that_of_the_trades() -> None:
    early, late = fill("1", "10"), fill("2", "10", bar=1)
    assert fill_hash([late, early]) == fill_hash([early, late])
    first, second = fill("1", "10"), fill("2", "10", number=2)
    assert fill_hash([first, second]) != fill_hash([second, first])
