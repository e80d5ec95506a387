"""Columns of texts: whatever is in them, they are read as `float` and `int` read each alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.simulator.data.numbers import floats, integers

written = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=12).map(str),
    st.integers(-(10**25), 10**25).map(str),
    st.from_regex(r"[0-9]{1,20}\.[0-9]{0,30}([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        ["-0", "+1", ".5", "5.", "01", "1_000", " 7 ", "nan", "Infinity", "1e999", "\u0663", "1,2"]
    ),
    st.sampled_from(["", "x", "null", "true", "[1]", '"1"', "0x10", "1 2", "\ud800"]),
)


@given(st.lists(written, max_size=12))
def test_a_column_is_read_as_each_text_alone(texts: list[str]) -> None:
    try:
        expected = [float(text) for text in texts]
    except ValueError:
        with pytest.raises(ValueError, match=r"could not convert|surrogates"):
            floats(texts)
    else:
        assert list(map(repr, floats(texts))) == list(map(repr, expected))


@given(st.lists(st.from_regex(r"[0-9]{1,19}", fullmatch=True), max_size=12))
def test_whole_numbers(texts: list[str]) -> None:
    assert integers(texts) == [int(text) for text in texts]
