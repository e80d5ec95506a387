"""Numbers and texts: which ones are sound, and how they are written."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.protocol.fields import parse_json
from strategy_runtime.protocol.values import (
    NUMBER,
    cut_to_finest,
    has_only_plain_numbers,
    in_digits,
    is_sound,
    plain_data,
)


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ("0", True),
        ("0E-50", True),
        ("150.00", True),
        ("9" * 38, True),
        ("9" * 39, False),
        (f"0.{'1' * 38}", True),
        (f"1.{'1' * 38}", False),
        (f"1.{'0' * 60}", True),
        ("1E+38", True),
        ("1E+39", False),
        ("1E-38", True),
        ("1E-39", False),
        ("1E+999999", False),
        ("NaN", False),
        ("sNaN", False),
        ("-Infinity", False),
    ],
)
def test_which_numbers_are_sound(text: str, sound: bool) -> None:
    assert is_sound(Decimal(text)) is sound


@given(st.text(st.sampled_from("0123456789+-._eE \t１"), max_size=6))
def test_what_is_plain_to_the_eye_is_a_number_to_both_readers(text: str) -> None:
    raw = json.dumps({"x": text}, ensure_ascii=False).encode()
    try:
        number = Decimal(text)
    except ArithmeticError:
        return
    if number.is_finite() and has_only_plain_numbers(raw):
        assert NUMBER.fullmatch(text)


@pytest.mark.parametrize(
    "text",
    ["1_000", " 1", "1 ", "+1", ".5", "1.", "1e5", "-.5", "--1", "9" * 20, "１", "é", "a\\b"],
)
def test_an_odd_number_is_noticed_anywhere_in_a_text(text: str) -> None:
    raw = json.dumps({"a": [{"b": "x"}, {"c": text}], "d": 1}, ensure_ascii=False)
    assert not has_only_plain_numbers(raw.encode())


@pytest.mark.parametrize("text", ["1", "-1", "12.50", "evt-1", "2024-03-04T14:30:00Z", "", "a_1"])
def test_what_is_no_odd_number_is_left_alone(text: str) -> None:
    for raw in (json.dumps({"a": text, "b": 1.5}), json.dumps({"a": text}, indent=2)):
        assert has_only_plain_numbers(raw.encode())


def test_plain_data_has_no_decimals() -> None:
    value = parse_json('{"a":[1.5,1,true,null,"x"],"b":1e400,"c":{"d":0.1}}')
    assert plain_data(value) == {
        "a": [1.5, 1, True, None, "x"],
        "b": "1E+400",
        "c": {"d": 0.1},
    }


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("1.50", "1.5"),
        ("1.5", "1.5"),
        ("100", "100"),
        ("1E+3", "1000"),
        ("1E-8", "0.00000001"),
        ("0.00", "0"),
        ("-0.0", "0"),
        ("-2.10", "-2.1"),
        ("123456789012345678901234567890.10", "123456789012345678901234567890.1"),
    ],
)
def test_a_decimal_has_one_spelling(number: str, text: str) -> None:
    assert in_digits(Decimal(number)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_a_spelling_loses_nothing(number: Decimal) -> None:
    assert Decimal(in_digits(number)) == number
    assert "E" not in in_digits(number)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("1.50", "1.50"),
        ("1E+30", "1E+30"),
        ("0.123456789012345678", "0.123456789012345678"),
        ("1E-18", "1E-18"),
        ("1E-19", "0E-18"),
        ("5.340453938584779706275033378", "5.340453938584779706"),
        ("-0.0000000000000000019", "-0.000000000000000001"),
        ("123456789012345678.1234567890123456789", "123456789012345678.123456789012345678"),
        ("1.5000000000000000000000", "1.5000000000000000000000"),
    ],
)
def test_a_quantity_is_cut_to_what_units_are_divided_in(text: str, cut: str) -> None:
    assert cut_to_finest(Decimal(text)).compare_total(Decimal(cut)) == 0
