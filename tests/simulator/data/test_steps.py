"""The timeframe of bars: as given, or as inferred; what does not fit is refused."""

from pathlib import Path

import pytest

from strategy_runtime.clock import DAY_NS
from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.faults import FaultLog
from strategy_runtime.simulator.data.load import load_bars
from strategy_runtime.simulator.data.rows import BarRows
from strategy_runtime.simulator.data.spool import Spool
from strategy_runtime.simulator.data.steps import timeframes_of
from tests.simulator.data.support import HEADER, ROWS, load, only
from tests.work import steps_of


def test_a_timeframe_that_does_not_fit_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="mostly 60 s apart, which does not fit the timeframe 7s"):
        load(tmp_path, HEADER + ROWS, timeframe="7s")


def test_data_finer_than_the_timeframe_stay_as_they_are(tmp_path: Path) -> None:
    assert only(load(tmp_path, HEADER + ROWS, timeframe="5m")).timeframe == "1m"


@pytest.mark.parametrize("given", ["1m", "1h", "12h"])
def test_bars_coarser_than_the_timeframe_are_refused(tmp_path: Path, given: str) -> None:
    """Delivered a minute after their start, daily bars would reveal the day's close."""
    days = "".join(f"2024-01-{day:02d},1,1,1,1,1\n" for day in (2, 3, 4, 5, 8, 9))
    with pytest.raises(DataError) as error:
        load(tmp_path, HEADER + days, timeframe=given)
    assert str(error.value).endswith(
        f"the bars of X are a day apart or a multiple of that, too coarse for the timeframe {given}"
    )


def test_rare_bars_of_the_timeframe_are_taken(tmp_path: Path) -> None:
    stamps = ["09:30", "09:32", "09:34", "09:37", "09:42"]
    rows = "".join(f"2024-01-02 {stamp},1,1,1,1,1\n" for stamp in stamps)
    assert only(load(tmp_path, HEADER + rows, timeframe="1m")).timeframe == "1m"
    assert only(load(tmp_path, HEADER + rows)).timeframe == "2m"


@pytest.mark.parametrize("timeframe", [None, "1M"])
def test_bars_of_months_are_refused(tmp_path: Path, timeframe: str | None) -> None:
    rows = "".join(f"2024-{month:02d}-01,1,1,1,1,1\n" for month in range(1, 13))
    with pytest.raises(DataError, match="are months apart, and months differ in length; load dai"):
        load(tmp_path, HEADER + rows, timeframe=timeframe)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        (
            [f"{year}-{month:02d}-01" for year in (2022, 2023) for month in (1, 4, 7, 10)],
            "months apart, and months differ in length; load daily or weekly bars",
        ),
        (
            [f"{year}-01-01" for year in range(2010, 2020)],
            "months apart, and months differ in length; load daily or weekly bars",
        ),
        (
            [f"2024-01-02T09:30:00.{tenth}Z" for tenth in range(10)],
            "mostly 0.1 s apart, which is finer than any timeframe; load bars of a second or more",
        ),
        (
            [f"2024-01-{day:02d}" for day in range(1, 31, 9)],
            "mostly 9 days apart, which is no usual timeframe; say which with --timeframe",
        ),
        (
            [str(1_700_000_000 + second) for second in range(0, 9_000_000, 1_234_567)],
            "mostly 1234567 s apart, which is no usual timeframe; say which with --timeframe",
        ),
    ],
)
def test_bars_of_no_timeframe_are_refused_in_words(
    tmp_path: Path, stamps: list[str], message: str
) -> None:
    rows = "".join(f"{stamp},1,1,1,1,1\n" for stamp in stamps)
    with pytest.raises(DataError) as refusal:
        load(tmp_path, HEADER + rows)
    assert str(refusal.value).endswith(f"the bars of X are {message}")


def test_a_single_bar_takes_the_timeframe_of_the_others(tmp_path: Path) -> None:
    rows = "".join(f"A,{row}\n" for row in ROWS.splitlines()) + "B," + ROWS.splitlines()[0] + "\n"
    data = load(tmp_path, "symbol," + HEADER + rows)
    assert [(series.symbol, series.timeframe) for series in data.series] == [
        ("A", "1m"),
        ("B", "1m"),
    ]


def starts(symbol: str, *texts: str) -> str:
    return "".join(f"{symbol},{text},1,1,1,1,1\n" for text in texts)


MINUTES = starts("A", *(f"2024-01-02 10:{minute:02d}" for minute in range(30)))
DAYS = starts("A", *(f"2024-01-{day:02d}" for day in (2, 3, 4, 5, 8, 9)))


@pytest.mark.parametrize("timeframe", [None, "1m", "1h"])
@pytest.mark.parametrize(
    "minutes",
    [(7,), (7, 8, 12), (7, 14), (7, 12), (7, 12, 22), (3, 10, 24), (0, 49), (0, 30)],
)
def test_rare_bars_are_as_long_as_those_of_other_symbols_in_their_file(
    tmp_path: Path, timeframe: str | None, minutes: tuple[int, ...]
) -> None:
    rare = starts("B", *(f"2024-01-02 11:{minute:02d}" for minute in minutes))
    data = load(tmp_path, "symbol," + HEADER + MINUTES + rare, timeframe=timeframe)
    assert [(each.timeframe, len(each)) for each in data.series] == [
        ("1m", 30),
        ("1m", len(minutes)),
    ]


@pytest.mark.parametrize("days", [(5, 8), (1, 8), (2, 4), (1, 31)])
def test_rare_days_are_as_long_as_those_of_other_symbols_in_their_file(
    tmp_path: Path, days: tuple[int, ...]
) -> None:
    rare = starts("B", *(f"2024-01-{day:02d}" for day in days))
    data = load(tmp_path, "symbol," + HEADER + DAYS + rare)
    assert [each.timeframe for each in data.series] == ["1d", "1d"]


def test_bars_that_keep_to_a_longer_timeframe_again_and_again_are_as_long(tmp_path: Path) -> None:
    hours = starts("B", *(f"2024-01-02 {hour}:30" for hour in range(10, 16)))
    text = "symbol," + HEADER + MINUTES + hours
    assert [each.timeframe for each in load(tmp_path, text).series] == ["1m", "1h"]
    with pytest.raises(DataError, match="of B are 3600 s apart or a multiple of that, too coarse"):
        load(tmp_path, text, timeframe="1m")
    unusual = starts("B", *(f"2024-01-02 10:{minute:02d}" for minute in range(0, 60, 7)))
    with pytest.raises(DataError, match="of B are mostly 420 s apart, which is no usual timeframe"):
        load(tmp_path, "symbol," + HEADER + MINUTES + unusual)
    text = "symbol," + HEADER + MINUTES + DAYS.replace("A,", "B,")
    assert [each.timeframe for each in load(tmp_path, text).series] == ["1m", "1d"]


def test_hours_that_keep_to_a_session_stay_hours_beside_minutes(tmp_path: Path) -> None:
    header = "symbol," + HEADER
    hours = [f"2024-01-0{day} {time}" for day in (3, 4) for time in ("09:30", "11:00", "12:00")]
    (tmp_path / "hours.csv").write_text(header + starts("A", *hours, "2024-01-04 13:00"))
    (tmp_path / "minutes.csv").write_text(header + MINUTES)
    found = {each.timeframe: len(each) for each in load_bars([tmp_path]).series}
    assert found == {"1h": 7, "1m": 30}


MARCH = [f"2024-03-{day:02d}" for day in (4, 5, 6, 7, 8, 11, 12, 13)]


@pytest.mark.parametrize("step", ["1m", "1h"])
def test_days_over_which_clocks_change_stay_days_beside_finer_bars(
    tmp_path: Path, step: str
) -> None:
    times = [f"10:{each:02d}" if step == "1m" else f"{10 + each}:30" for each in range(6)]
    (tmp_path / "days.csv").write_text("symbol," + HEADER + starts("A", *MARCH))
    fine = (f"{day} {time}" for day in MARCH[-2:] for time in times)
    (tmp_path / "fine.csv").write_text("symbol," + HEADER + starts("A", *fine))
    found = {
        each.timeframe: len(each) for each in load_bars([tmp_path], tz="America/New_York").series
    }
    assert found == {"1d": 8, step: 12}


def test_two_days_over_which_clocks_change_are_days_as_those_of_others_are(tmp_path: Path) -> None:
    text = "symbol," + HEADER + starts("A", *MARCH) + starts("B", "2024-03-08", "2024-03-11")
    for timeframe in (None, "1d"):
        data = load(tmp_path, text, tz="America/New_York", timeframe=timeframe)
        assert [each.timeframe for each in data.series] == ["1d", "1d"]


def test_rare_hours_are_no_days_over_which_clocks_change(tmp_path: Path) -> None:
    days = ("2024-01-02 10", "2024-01-02 11", "2024-01-03 12", "2024-01-04 11", "2024-01-04 12")
    rare = starts("A", *(f"{day}:00" for day in days))
    assert only(load(tmp_path, "symbol," + HEADER + rare)).timeframe == "1h"


def test_a_bar_takes_few_steps() -> None:
    def steps(bars: int) -> int:
        part = BarRows("X", 0, "x.csv", FaultLog(), Spool())
        for day in range(bars):
            part.add(day, day * DAY_NS, 1, 1, 1, 1, 1)
        return steps_of(lambda: timeframes_of([part], None))

    assert (steps(400) - steps(200)) / 200 < 20
