"""Times as text and as dates."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.clock import ns_of, rfc3339, utc

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(
    seconds=st.integers(-(9 * 10**9), 9 * 10**9),
    nanos=st.sampled_from([0, 1, 250_000_000, 999_999_999]) | st.integers(0, 10**9 - 1),
)
def test_an_instant_is_written_as_datetime_writes_it(seconds: int, nanos: int) -> None:
    text = rfc3339(seconds * 10**9 + nanos)
    whole, _, fraction = text.removesuffix("Z").partition(".")
    assert whole == (EPOCH + timedelta(seconds=seconds)).isoformat().removesuffix("+00:00")
    assert int(fraction.ljust(9, "0") or "0") == nanos
    assert not fraction.endswith("0")
    assert text.endswith("Z")


@given(micros=st.integers(-(9 * 10**15), 9 * 10**15), below=st.integers(0, 999))
def test_an_instant_is_the_date_that_it_is_less_what_is_below_a_microsecond(
    micros: int, below: int
) -> None:
    moment = utc(micros * 1000 + below)
    assert moment == EPOCH + timedelta(microseconds=micros)
    assert ns_of(moment) == micros * 1000
