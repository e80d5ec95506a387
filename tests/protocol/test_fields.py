"""Tolerant reading of values; most of its rules are tested with frames and bodies."""

import pytest

from strategy_runtime.protocol.fields import Fault, depth_exceeds, parse_json


@pytest.mark.parametrize("levels", [2, 3, 63, 64])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("inside", ["1", "[]"])
def test_depth_is_counted_in_levels(levels: int, opening: str, closing: str, inside: str) -> None:
    outer = levels - (inside == "[]")
    value = parse_json(opening * outer + inside + closing * outer)
    assert depth_exceeds(value, levels - 1)
    assert not depth_exceeds(value, levels)


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", "9" * 41, "", "{", "'a'"])
def test_what_is_not_json_is_a_fault(text: str) -> None:
    with pytest.raises(Fault, match=r"^not JSON: "):
        parse_json(text)
