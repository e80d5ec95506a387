"""Tables as columns."""

from datetime import UTC, datetime
from math import isnan

from strategy_runtime.report.columns import columns_of


def test_columns_have_times_numbers_and_texts() -> None:
    assert columns_of("date,time,symbol,price\n2024-03-04,2024-03-04T14:30:00.5Z,007,1.25\n") == {
        "date": [datetime(2024, 3, 4)],  # noqa: DTZ001 - a day is that of all zones
        "time": [datetime(2024, 3, 4, 14, 30, 0, 500_000, UTC)],
        "symbol": ["007"],
        "price": [1.25],
    }


def test_times_of_nanoseconds_are_cut_to_microseconds() -> None:
    (time,) = columns_of("time\n2024-03-04T14:30:00.123456789Z\n")["time"]
    assert time == datetime(2024, 3, 4, 14, 30, 0, 123_456, UTC)


def test_what_is_missing_is_no_number_or_an_empty_text() -> None:
    columns = columns_of("limit_price,reject_reason\n,\n")
    assert isnan(columns["limit_price"][0])
    assert columns["reject_reason"] == [""]


def test_a_table_without_rows_has_all_columns() -> None:
    assert columns_of("symbol,profit\n") == {"symbol": [], "profit": []}
