"""Incremental sums, against sums computed anew."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.sums import MANY, Sum
from tests.work import Watched, steps_of

NAMES = [f"S:{number}" for number in range(3 * MANY)]
ZERO = Decimal(0)
THIRD = Decimal(1) / 3

names = st.sampled_from(NAMES)
parts = st.one_of(
    st.decimals(-1000, 1000, places=2),
    st.decimals(-1000, 1000, places=1),
    st.integers(-9, 9).map(Decimal),
    st.integers(-9, 9).map(THIRD.__mul__),
    st.sampled_from([Decimal("1E+3"), Decimal("-0.00"), Decimal("7.1E-12")]),
)
steps = st.tuples(st.sets(names, max_size=2), st.dictionaries(names, parts, max_size=3))


@given(
    st.lists(parts, min_size=len(NAMES), max_size=len(NAMES)),
    st.integers(0, len(NAMES)),
    st.lists(steps, max_size=12),
)
def test_a_sum_has_the_digits_and_zeros_it_would_have_if_all_were_added_anew(
    first: list[Decimal], count: int, done: list[tuple[set[str], dict[str, Decimal]]]
) -> None:
    there = dict(zip(NAMES[:count], first, strict=False))
    kept = Sum(there.copy())
    for leaving, changes in done:
        gone = leaving - changes.keys()
        assert kept.total_with(changes) == sum({**there, **changes}.values(), ZERO)
        kept.update(changes, gone)
        for name in gone:
            there.pop(name, None)
        there |= changes
        assert str(kept.total()) == str(sum(there.values(), ZERO))
        assert str(kept.total(THIRD)) == str(sum(there.values(), THIRD))


@pytest.mark.parametrize("places", [1, 2])
def test_to_change_a_part_takes_the_same_however_many_there_are(places: int) -> None:
    def work(count: int) -> int:
        kept = Sum(Watched({f"S:{number}": Decimal("0.25") for number in range(count)}))
        kept.total()

        def change() -> None:
            kept.update({"S:1": round(Decimal("7.125"), places)}, ["S:2"])
            assert kept.total() == kept.total(ZERO)
            kept.total_with({"S:3": Decimal(9)})

        return steps_of(change)

    assert work(100) == work(1000)
