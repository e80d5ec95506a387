"""Timestamps from texts: every notation, zones and their clock changes, and what is refused."""

import re
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.clock import ns_of, rfc3339
from strategy_runtime.errors import ConfigError
from strategy_runtime.simulator.data.timestamps import StampReader, zone_of
from strategy_runtime.simulator.data.written_times import Dates
from tests.work import steps_of

SECOND = 10**9


def read(text: str, tz: str = "UTC", dates: Dates | None = None) -> str:
    return rfc3339(StampReader(zone_of(tz), dates).read(text))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-03-04", "2024-03-04T00:00:00Z"),
        ("2024-03-04Z", "2024-03-04T00:00:00Z"),
        ("2024-3-4 9:30", "2024-03-04T09:30:00Z"),
        ("2024/03/04 09:30:00", "2024-03-04T09:30:00Z"),
        ("2024.03.04 09:30", "2024-03-04T09:30:00Z"),
        ("20240304", "2024-03-04T00:00:00Z"),
        ("20240304 0930", "2024-03-04T09:30:00Z"),
        ("20240304T093015", "2024-03-04T09:30:15Z"),
        ("20240304093015", "2024-03-04T09:30:15Z"),
        ("20240304 093015123", "2024-03-04T09:30:15.123Z"),
        ("2024-03-04D09:30:15.123456789", "2024-03-04T09:30:15.123456789Z"),
        ("2024-03-04 09:30:15 GMT", "2024-03-04T09:30:15Z"),
        ("2024-03-04 09:30:15 GMT+0200", "2024-03-04T07:30:15Z"),
        ("2024-03-04 09:30:15 UTC-05:00", "2024-03-04T14:30:15Z"),
        ("20240304 09:30:15 US/Eastern", "2024-03-04T14:30:15Z"),
        ("20240704 09:30:15 America/New_York", "2024-07-04T13:30:15Z"),
        ("2024-03-04 9:30:15 PM", "2024-03-04T21:30:15Z"),
        ("2024-03-04 12-AM", "2024-03-04T00:00:00Z"),
        ("2024-03-04 09-PM", "2024-03-04T21:00:00Z"),
        ("04-Mar-2024", "2024-03-04T00:00:00Z"),
        ("4-mar-24", "2024-03-04T00:00:00Z"),
        ("4 March 2024 09:30", "2024-03-04T09:30:00Z"),
        ("Mar 4, 2024", "2024-03-04T00:00:00Z"),
        ("Sept. 4, 2024, 9:30:15 AM", "2024-09-04T09:30:15Z"),
        ("2024-03-04t09:30:15z", "2024-03-04T09:30:15Z"),
        ("2024-03-04 09:30:15 UTC", "2024-03-04T09:30:15Z"),
        ("2024-03-04 09:30:15+0530", "2024-03-04T04:00:15Z"),
        ("2024-03-04 09:30:15-05", "2024-03-04T14:30:15Z"),
        ("2024-03-04T00:30:00+01:00", "2024-03-03T23:30:00Z"),
        ("2024-03-04T09:30:15,5", "2024-03-04T09:30:15.5Z"),
        ("2024-03-04T09:30:15.000000001Z", "2024-03-04T09:30:15.000000001Z"),
        ("  2024-03-04 09:30 ", "2024-03-04T09:30:00Z"),
        ("1969-12-31T23:59:59.5", "1969-12-31T23:59:59.5Z"),
        ("1709544615", "2024-03-04T09:30:15Z"),
        ("1709544615.0", "2024-03-04T09:30:15Z"),
        ("1709544615.001045993", "2024-03-04T09:30:15.001045993Z"),
        ("1709544615123.25", "2024-03-04T09:30:15.12325Z"),
        ("1709544615123456", "2024-03-04T09:30:15.123456Z"),
        ("1709544615123456789", "2024-03-04T09:30:15.123456789Z"),
        ("-157766400", "1965-01-01T00:00:00Z"),
        ("-157766400.5", "1964-12-31T23:59:59.5Z"),
    ],
)
def test_forms(text: str, instant: str) -> None:
    assert read(text) == instant


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'' is no time; write it as 2024-03-04T14:30:00Z"),
        ("2024", "'2024' is a year; write it as 2024-01-01"),
        ("2024-3", "'2024-3' is a month; write it as 2024-03-01"),
        (
            "03-04-2024",
            "'03-04-2024' may mean several dates; say which with --dates mdy (month first) or "
            "--dates dmy (day first), or write it as YYYY-MM-DD",
        ),
        ("04-Mai-2024", "is no time"),
        ("Mar 32, 2024", "'2024-03-32' is no date"),
        ("Mar 4, 2024 13:30 PM", "is no time"),
        ("2024-03-04 13 PM", "is no time"),
        ("2024-03-04 09:30 Mars/Base", "'Mars/Base' is no time zone"),
        ("3/4/24 09:30", "may mean several dates"),
        ("04.03.2024", "may mean several dates"),
        ("2024-13-01", "'2024-13-01' is no date"),
        ("20240230", "'20240230' is no date"),
        ("20240304096015", "'20240304096015' is no time of day"),
        ("2024-03-04 24:00", "is no time of day"),
        ("2024-03-04 23:59:60", "is no time of day"),
        ("2024-03-04 09:30 EST", "is no time"),
        ("2024-03-04T09:30:15.1234567890", "is no time"),
        ("2024-03-04T09:30+24:00", "'+24:00' is no offset from UTC"),
        ("2024-03-04T09:30-01:60", "'-01:60' is no offset from UTC"),
        ("0001-01-01", "is not within the years 1678 to 2261"),
        ("9999-12-31", "is not within the years 1678 to 2261"),
        ("202403040930", "may be a date and time or milliseconds since the epoch"),
        ("86400", "is no time since the epoch in s, ms, µs or ns"),
        ("9999999999999999999", "is no time since the epoch"),
        ("1_709_544_615", "is no time"),
        ("1709544615.x", "is no time"),
        ("1.7e9", "is no time"),
        ("١٧٠٩٥٤٤٦١٥", "is no time"),
    ],
)
def test_what_is_no_time_or_may_be_two(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        read(text)


@pytest.mark.parametrize(
    ("text", "dates", "instant"),
    [
        ("03/04/2024", "mdy", "2024-03-04T00:00:00Z"),
        ("03/04/2024", "dmy", "2024-04-03T00:00:00Z"),
        ("3-4-24", "mdy", "2024-03-04T00:00:00Z"),
        ("3-4-69", "mdy", "1969-03-04T00:00:00Z"),
        ("04.03.2024 09:30:15.123", "dmy", "2024-03-04T09:30:15.123Z"),
        ("04.03.2024 00:30:00.000 GMT+0100", "dmy", "2024-03-03T23:30:00Z"),
        ("03/04/2024 930", "mdy", "2024-03-04T09:30:00Z"),
        ("3/4/2024 12:05:00 AM", "mdy", "2024-03-04T00:05:00Z"),
        ("3/4/2024 12:05 pm", "mdy", "2024-03-04T12:05:00Z"),
        ("3/4/2024, 1:05:00 PM", "mdy", "2024-03-04T13:05:00Z"),
        ("2024-03-04", "dmy", "2024-03-04T00:00:00Z"),
    ],
)
def test_dates_with_the_year_behind(text: str, dates: Dates, instant: str) -> None:
    reader = StampReader(dates=dates)
    assert [rfc3339(reader.read(text)) for _ in range(2)] == [instant] * 2


@pytest.mark.parametrize(("text", "dates"), [("03/13/2024", "dmy"), ("13/03/2024 09:30", "mdy")])
def test_a_month_that_there_is_not(text: str, dates: Dates) -> None:
    with pytest.raises(ValueError, match=f"'{text}' is no date of the form {dates}, which --dates"):
        read(text, dates=dates)


def test_a_stamp_that_failed_fails_again() -> None:
    reader = StampReader()
    reader.read("2024-03-04 09:30")
    for _ in range(2):
        with pytest.raises(ValueError, match="is no time of day"):
            reader.read("2024-03-04 99:30")


# Zones.


@pytest.mark.parametrize(
    ("text", "tz", "instant"),
    [
        ("2024-01-02 09:30", "America/New_York", "2024-01-02T14:30:00Z"),
        ("2024-07-02 09:30", "America/New_York", "2024-07-02T13:30:00Z"),
        ("2024-01-02 09:30+00:00", "America/New_York", "2024-01-02T09:30:00Z"),
        ("2024-01-02", "Asia/Tokyo", "2024-01-01T15:00:00Z"),
        ("1709544615", "Asia/Tokyo", "2024-03-04T09:30:15Z"),
        ("2024-03-10 01:59:59.999999999", "America/New_York", "2024-03-10T06:59:59.999999999Z"),
        ("2024-03-10 03:00", "America/New_York", "2024-03-10T07:00:00Z"),
        ("2024-11-03 00:59", "America/New_York", "2024-11-03T04:59:00Z"),
        ("2024-11-03 02:00", "America/New_York", "2024-11-03T07:00:00Z"),
        # Midnight did not exist, or came twice; the day still started once.
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        ("2018-11-03", "America/Sao_Paulo", "2018-11-03T03:00:00Z"),
        ("2024-11-03", "America/Havana", "2024-11-03T04:00:00Z"),
    ],
)
def test_local_times(text: str, tz: str, instant: str) -> None:
    assert read(text, tz) == instant


@pytest.mark.parametrize(
    ("text", "tz", "problem"),
    [
        ("2024-03-10 02:00", "America/New_York", "does not exist in America/New_York"),
        ("2024-03-10 02:59:59.5", "America/New_York", "the clocks went forward"),
        ("2018-11-04 00:00", "America/Sao_Paulo", "does not exist in America/Sao_Paulo"),
        ("2024-11-03 01:00", "America/New_York", "is ambiguous in America/New_York"),
        ("2024-11-03 01:59:59", "America/New_York", "the clocks went back; give UTC offsets"),
        ("2018-02-17 23:30", "America/Sao_Paulo", "is ambiguous in America/Sao_Paulo"),
    ],
)
def test_local_times_that_were_never_or_twice(text: str, tz: str, problem: str) -> None:
    reader = StampReader(zone_of(tz))
    reader.read(text[:11] + "12:00")
    with pytest.raises(ValueError, match=problem):
        reader.read(text)


@pytest.mark.parametrize("name", ["Mars/Base", "", "../etc/passwd", "America"])
def test_a_zone_that_is_none(name: str) -> None:
    with pytest.raises(ConfigError, match="is no time zone; write its IANA name, such as Am"):
        zone_of(name)


zones = st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
moments = st.integers(-(10**9), 4 * 10**9)


@given(st.lists(moments, min_size=1, max_size=20), zones, st.integers(0, 10**9 - 1))
def test_an_instant_written_with_its_offset_is_read_back(
    seconds: list[int], tz: str, nanos: int
) -> None:
    reader = StampReader(zone_of(tz))
    for second in seconds:
        local = datetime.fromtimestamp(second, ZoneInfo(tz))
        offset = round((local.utcoffset() or timedelta()).total_seconds() / 60)
        text = f"{local:%Y-%m-%dT%H:%M:%S}.{nanos:09d}{'-' if offset < 0 else '+'}"
        text += f"{abs(offset) // 60:02d}:{abs(offset) % 60:02d}"
        assert reader.read(text) == second * SECOND + nanos


@given(st.lists(moments, min_size=1, max_size=20), zones)
def test_a_local_time_means_what_the_zone_says_or_is_refused(seconds: list[int], tz: str) -> None:
    zone = ZoneInfo(tz)
    reader = StampReader(zone_of(tz))
    for second in seconds:
        local = datetime.fromtimestamp(second, zone)
        other = local.replace(fold=1 - local.fold)
        text = f"{local:%Y-%m-%d %H:%M:%S}"
        if other.utcoffset() != local.utcoffset():
            with pytest.raises(ValueError, match="is ambiguous"):
                reader.read(text)
        else:
            assert reader.read(text) == ns_of(local.astimezone(UTC))


many = st.lists(
    st.one_of(
        st.integers(0, 10**5).map(lambda s: rfc3339((1_704_205_800 + s) * SECOND)),
        st.integers(10**9, 2 * 10**9).map(str),
        st.integers(10**12, 2 * 10**12).map(str),
        st.sampled_from(
            ["2024-01-02 09:30", "20240102", "", "soon", "1704205800.5", "2024-03-10 02:30"]
        ),
    ),
    min_size=1,
    max_size=20,
)


@given(texts=many, tz=st.sampled_from(["UTC", "America/New_York"]))
def test_many_stamps_are_read_as_each_alone(texts: list[str], tz: str) -> None:
    try:
        expected = [StampReader(zone_of(tz)).read(text) for text in texts]
    except ValueError:
        with pytest.raises(ValueError, match=r"no time|does not exist"):
            StampReader(zone_of(tz)).read_all(texts)
    else:
        assert StampReader(zone_of(tz)).read_all(texts) == expected


@pytest.mark.parametrize("text", ["１７０４２０５８００", "1_70420580", "+170420580"])
def test_many_numbers_are_no_laxer_than_one(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        StampReader().read(text)
    with pytest.raises(ValueError, match="is no time"):
        StampReader().read_all([text, text])


clocks = st.lists(st.integers(0, 24 * 60 - 1), min_size=40, max_size=90, unique=True).map(sorted)
sessions = st.lists(clocks, min_size=1, max_size=3)


@given(
    sessions=sessions,
    order=st.lists(st.integers(0, 2), min_size=1, max_size=8),
    first=st.sampled_from(["2024-01-02", "2024-03-08", "2024-10-31"]),
    form=st.sampled_from(
        [
            *("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y/%m/%d %H:%M:%S+02:00"),
            *("%d.%m.%Y %H:%M:%S.000", "%d/%m/%Y %I:%M %p", "%d-%b-%Y %H:%M"),
            *("%Y%m%d %H%M%S", "%Y%m%d%H%M%S", "%Y%m%d %H%M%S000", "%-d/%-m/%Y %-H:%M"),
        ]
    ),
    tz=st.sampled_from(["UTC", "America/New_York"]),
    cut=st.integers(30, 200),
)
def test_days_like_others_are_read_as_each_stamp_alone(
    sessions: list[list[int]], order: list[int], first: str, form: str, tz: str, cut: int
) -> None:
    begin = datetime.fromisoformat(first).replace(tzinfo=UTC)
    texts = [
        (begin + timedelta(days=day, minutes=minute)).strftime(form)
        for day, number in enumerate(order)
        for minute in sessions[number % len(sessions)]
    ]
    reader, found = StampReader(zone_of(tz), "dmy"), list[int]()
    try:
        expected = [StampReader(zone_of(tz), "dmy").read(text) for text in texts]
    except ValueError:
        with pytest.raises(ValueError, match=r"does not exist|is ambiguous"):
            reader.read_all(texts)
        return
    for row in range(0, len(texts), cut):
        found += reader.read_all(texts[row : row + cut])
    assert found == expected


@given(texts=st.lists(many, min_size=2, max_size=4), tz=st.sampled_from(["UTC", "Asia/Tokyo"]))
def test_readers_that_share_days_read_as_each_alone(texts: list[list[str]], tz: str) -> None:
    days: dict[str, int] = {}
    for each in texts:
        alone, sharing = StampReader(zone_of(tz)), StampReader(zone_of(tz), days=days)
        for text in each:
            try:
                expected = alone.read(text)
            except ValueError:
                with pytest.raises(ValueError, match=r"no time|does not exist"):
                    sharing.read(text)
            else:
                assert sharing.read(text) == expected


@pytest.mark.parametrize("zone", ["", "Z", "+05:30", " UTC", "-0330"])
@pytest.mark.parametrize("tz", ["UTC", "America/New_York"])
def test_fractions_of_one_second_are_read_as_each_alone(zone: str, tz: str) -> None:
    digits = ["1", "12", "123456", "123456789", "000", "5", "9", "999999999"]
    texts = [f"2024-03-04T14:30:00.{each}{zone}" for each in digits]
    reader = StampReader(zone_of(tz))
    assert [rfc3339(reader.read(text)) for text in texts] == [read(text, tz) for text in texts]
    with pytest.raises(ValueError, match="is no time"):
        reader.read(f"2024-03-04T14:30:00.1234567890{zone}")


def test_a_fraction_of_a_known_second_takes_few_steps() -> None:
    """Hardly two quotes or trades have the same."""
    reader = StampReader()
    reader.read("2024-03-04 14:30:00.1+00:00")
    first, next_one = (
        steps_of(partial(reader.read, f"2024-03-04 14:30:01.{fraction}+00:00"))
        for fraction in ("162004136", "286756970")
    )
    assert next_one < first / 3
