"""The length of names in ids."""

from strategy_runtime.ids import shortened


def test_a_name_that_is_too_long_keeps_its_beginning_and_stays_apart_from_others() -> None:
    assert shortened("Short", 40) == "Short"
    assert shortened("L" * 40, 40) == "L" * 40
    one, other = (
        shortened("MeanReversionWithVolatilityFilterAndTrailing" + end, 40) for end in "AB"
    )
    assert len(one) == len(other) == 40
    assert one != other
    assert one[:31] == other[:31] == "MeanReversionWithVolatilityFilt"
