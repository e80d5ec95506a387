"""Comparing many floats at once gives the same as comparing each pair."""

from array import array
from itertools import accumulate, pairwise
from math import copysign, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.simulator.data.digits import (
    GREATEST,
    LEAST,
    are_apart,
    are_at_most,
    are_signed,
    digits_of,
    repeated,
)
from strategy_runtime.simulator.data.faults import FaultLog
from strategy_runtime.simulator.data.rows import BarRows, QuoteRows, Rows, TickRows
from strategy_runtime.simulator.data.spool import Spool

NAN, INF = float("nan"), float("inf")

edges = st.sampled_from([0.0, LEAST, 2 * LEAST, 1.0, 1.5, 2.0, GREATEST, INF])
unsigned = st.one_of(edges, st.floats(0.0, allow_nan=False))


def digits(*numbers: float) -> int:
    return digits_of(memoryview(array("d", numbers)))


@given(st.lists(st.tuples(unsigned, unsigned), min_size=1, max_size=20))
def test_columns_are_at_most_others_where_each_number_is(pairs: list[tuple[float, float]]) -> None:
    lower, upper = (digits(*column) for column in zip(*pairs, strict=True))
    one = digits(*[1.0] * len(pairs))
    expected = all(low <= high for low, high in pairs)
    assert are_at_most([(lower, upper)], len(pairs)) == expected
    assert are_at_most([(one, one), (lower, upper)], len(pairs)) == expected


@given(st.lists(st.floats(), min_size=1, max_size=20))
def test_a_sign_is_found_wherever_it_is(numbers: list[float]) -> None:
    has_sign = min(copysign(1.0, number) for number in numbers) < 0
    assert are_signed([digits(*numbers)], len(numbers)) == has_sign
    assert are_signed([0, digits(*numbers)], len(numbers)) == has_sign


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 5, 1000, 1024])
def test_a_number_in_every_row(rows: int) -> None:
    assert repeated(1.5, rows) == digits(*[1.5] * rows)


@given(
    first=st.integers(-(2**62), 2**62),
    step=st.integers(1, 2**50),
    apart=st.lists(st.sampled_from([0, 0, 0, 1, 2, -1]), max_size=12),
    crosses=st.booleans(),
)
def test_whole_numbers_are_apart_where_each_is(
    first: int, step: int, apart: list[int], crosses: bool
) -> None:
    first = -step if crosses else first
    numbers = list(accumulate((max(step + odd, 0) for odd in apart), initial=first))
    each = all(after - before == step for before, after in pairwise(numbers))
    found = are_apart(memoryview(array("q", numbers)), step)
    assert found == each or (not found and numbers[0] < 0 <= numbers[-1])


values = st.sampled_from([0.0, -0.0, -1.0, 1.0, 1.5, 2.0, GREATEST, NAN, -NAN, INF, -INF])
anything = st.tuples(values, values, values, values, values)
likely = st.lists(unsigned, min_size=5, max_size=5).map(sorted)


@pytest.mark.parametrize("kind", [BarRows, QuoteRows, TickRows])
@given(
    drawn=st.lists(
        st.one_of(anything, likely.map(lambda each: (each[2], each[4], each[1], each[3], each[0]))),
        min_size=1,
        max_size=4,
    )
)
def test_rows_taken_together_are_possible_each_by_itself(
    kind: type[Rows], drawn: list[tuple[float, ...]]
) -> None:
    rows = [row[: len(kind.kind.value)] for row in drawn]
    part = kind("S:X", 0, "x.csv", FaultLog(), Spool())
    columns = [memoryview(array("d", column)) for column in zip(*rows, strict=True)]
    taken = part._take(range(len(rows)), range(len(rows)), *columns)
    one_by_one = kind("S:X", 0, "x.csv", FaultLog(), Spool())
    for line, row in enumerate(rows):
        one_by_one.add(line, line, *row)
    assert written(part) == (written(one_by_one) if taken else [])
    plain = all(copysign(1.0, each) > 0 and not isnan(each) for row in rows for each in row)
    assert taken == (plain and len(one_by_one) == len(rows))


def written(part: Rows) -> list[str]:
    return [repr(row) for some in part.table.stretches() for row in zip(*some, strict=True)]
