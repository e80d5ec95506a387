"""Columns of texts are read as `float` and `int` read each text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.simulator.data.numbers import Decimals, Numerals, floats, integers

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


@pytest.mark.parametrize(
    ("decimals", "text", "number"),
    [
        (None, "$184.25", 184.25),
        (None, "€ 12", 12),
        ("point", "1,184.25", 1184.25),
        ("point", "82,488,700", 82_488_700),
        ("point", "46,44,514.5", 4_644_514.5),
        ("point", "-$1", None),
        ("point", "$1,184", 1184),
        ("point", "184.25", 184.25),
        ("point", "1,5", None),
        ("point", "1.184,25", None),
        ("comma", "184,25", 184.25),
        ("comma", "1.184,25", 1184.25),
        ("comma", "1.184", 1184),
        ("comma", "1\n184", None),
        ("comma", "-1", -1),
        ("comma", "1,5E+06", 1_500_000),
        ("comma", "184.25", None),
        ("comma", "1,184.25", None),
        (None, "184,25", None),
        (None, "1,184", None),
        (None, "1,184.25", None),
    ],
)
def test_marks_within_numbers(decimals: Decimals | None, text: str, number: float | None) -> None:
    numerals = Numerals(decimals)
    if number is None:
        with pytest.raises(ValueError, match=r"could not convert|is no number with a comma"):
            numerals.read([text], 0)
    else:
        assert numerals.read([text, "1"], 0) == [number, 1]


@pytest.mark.parametrize("text", ["", " ", "null", "NA", "n/a", "#N/A", "None", "-", "\\N", "<NA>"])
@pytest.mark.parametrize("decimals", [None, "point", "comma"])
def test_what_stands_for_no_number(decimals: Decimals | None, text: str) -> None:
    assert Numerals(decimals).read(["1", text], 7) == [1, 7]
