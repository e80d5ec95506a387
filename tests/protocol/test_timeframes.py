"""Timeframes: which texts are valid, and when their bars end."""

from datetime import UTC, datetime
from typing import Any

import pytest

from strategy_runtime.clock import ns_of
from strategy_runtime.errors import TimeframeError
from strategy_runtime.protocol.timeframes import KNOWN_TIMEFRAMES, Timeframe, parse_timeframe


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("5m", 300), ("4h", 14_400), ("1d", 86_400), ("2w", 1_209_600)],
)
def test_a_timeframe_of_fixed_length(text: str, seconds: int) -> None:
    timeframe = parse_timeframe(text)
    assert timeframe == Timeframe(text, seconds)
    assert timeframe.nanoseconds == seconds * 10**9


def test_the_usual_ones_stand_in_order_of_length() -> None:
    lengths = [parse_timeframe(text).nanoseconds for text in KNOWN_TIMEFRAMES]
    assert lengths == sorted(set(lengths))


@pytest.mark.parametrize(
    "text", ["", "m", "1", "0m", "-1m", "1x", "1 m", "1M1", "٣m", "1٣m", "1e3s", 5]
)
def test_what_is_no_timeframe_is_refused_with_an_example(text: Any) -> None:
    with pytest.raises(TimeframeError) as refused:
        parse_timeframe(text)
    assert str(refused.value) == (
        f"{text!r} is not a timeframe; write a number and one of s m h d w M, such as 1m, 4h or 1d"
    )


def test_a_timeframe_beyond_a_century_is_refused() -> None:
    assert parse_timeframe("1200M").months == 1200
    for text in ("5300w", "36601d", "1221M", "999999M"):
        with pytest.raises(TimeframeError, match=f"^'{text}' is longer than a century$"):
            parse_timeframe(text)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("1m", datetime(2024, 2, 28, 23, 59, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)),
        ("1M", datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)),
        ("1M", datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)),
        ("1M", datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)),
        ("14M", datetime(2023, 12, 15, tzinfo=UTC), datetime(2025, 2, 15, tzinfo=UTC)),
    ],
)
def test_the_end_of_a_bar(text: str, start: datetime, end: datetime) -> None:
    assert parse_timeframe(text).end_of(start) == end


@pytest.mark.parametrize("text", ["1d", "1M"])
def test_a_bar_that_ends_beyond_the_calendar_has_no_end(text: str) -> None:
    with pytest.raises(OverflowError):
        parse_timeframe(text).end_of(datetime(9999, 12, 31, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "instant", "start", "end"),
    [
        ("1h", "2024-02-29T14:30", "2024-02-29T14:00", "2024-02-29T15:00"),
        ("1w", "2024-03-03T23:59", "2024-02-26T00:00", "2024-03-04T00:00"),
        ("1M", "2024-02-29T23:59", "2024-02-01T00:00", "2024-03-01T00:00"),
        ("1M", "2023-02-01T00:00", "2023-02-01T00:00", "2023-03-01T00:00"),
        ("1M", "2023-12-31T12:00", "2023-12-01T00:00", "2024-01-01T00:00"),
        ("3M", "2024-06-30T12:00", "2024-04-01T00:00", "2024-07-01T00:00"),
        ("12M", "1969-05-05T05:05", "1969-01-01T00:00", "1970-01-01T00:00"),
    ],
)
def test_the_bar_around_an_instant(text: str, instant: str, start: str, end: str) -> None:
    at, begin, finish = (
        ns_of(datetime.fromisoformat(each).replace(tzinfo=UTC)) for each in (instant, start, end)
    )
    assert parse_timeframe(text).span_around(at) == (begin, finish)


@pytest.mark.parametrize(
    ("text", "step", "fits"),
    [
        ("1h", 60, True),
        ("1h", 7 * 60, False),
        ("1m", 3600, False),
        ("1w", 86_400, True),
        ("1M", 86_400, True),
        ("1M", 3600, True),
        ("1M", 7 * 3600, False),
        ("1M", 604_800, False),
    ],
)
def test_what_a_bar_can_be_made_of(text: str, step: int, fits: bool) -> None:
    assert parse_timeframe(text).is_made_of(step * 10**9) is fits
