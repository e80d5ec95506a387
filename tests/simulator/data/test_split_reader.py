"""Files of splits."""

import csv
import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.split_reader import read_splits
from strategy_runtime.simulator.data.timestamps import zone_of
from strategy_runtime.simulator.splits import Split


def write(folder: Path, *rows: str, header: str = "symbol,date,ratio") -> Path:
    path = folder / "splits.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize(
    ("ratio", "new", "old"),
    [
        ("2:1", "2", "1"),
        ("3/2", "3", "2"),
        ("4", "4", "1"),
        ("0.1", "0.1", "1"),
        ("1:10", "1", "10"),
    ],
)
def test_a_ratio_is_new_to_old(tmp_path: Path, ratio: str, new: str, old: str) -> None:
    (split,) = read_splits(write(tmp_path, f"S:X,2005-02-28,{ratio}"))
    day = datetime(2005, 2, 28, tzinfo=UTC)
    assert split == Split("S:X", day, Decimal(new), Decimal(old))


def test_columns_may_stand_in_any_order_and_dates_in_another_zone(tmp_path: Path) -> None:
    path = write(tmp_path, "2:1,2005-02-28,S:X", header=" Ratio,DATE,Symbol")
    (split,) = read_splits(path, zone_of("America/New_York"))
    assert split.at == datetime(2005, 2, 28, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("S:X,2005-02-28,two", "line 2: 'two' is no ratio of new units to old ones, such as 2:1"),
        ("S:X,2005-02-28,", "line 2: '' is no ratio"),
        ("S:X,2005-02-28", "line 2: '' is no ratio"),
        ("S:X,2005-02-28,0", "line 2: S:X 0:1 2005-02-28 is no split: both sides of a ratio are"),
        ("S:X,2005-02-30,2", "line 2: .*2005-02-30"),
        (",2005-02-28,2", "line 2: the symbol is empty"),
    ],
)
def test_rows_that_cannot_be_read(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, row)
    with pytest.raises(DataError, match=f"splits.csv {message}"):
        read_splits(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = write(tmp_path, header="symbol,day,ratio")
    with pytest.raises(DataError, match=r"splits\.csv has no column date; splits need symbol, dat"):
        read_splits(path)
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        read_splits(tmp_path / "none.csv")
    path.write_bytes(b"\xff" + b"symbol,date,ratio\n")
    with pytest.raises(DataError, match=r"splits\.csv is not a text in UTF-8 \(invalid start byte"):
        read_splits(path)
    packed = tmp_path / "splits.csv.gz"
    packed.write_bytes(gzip.compress(b"symbol,date,ratio\n")[:-9])
    with pytest.raises(DataError, match=r"splits\.csv\.gz cannot be read: .* ended before the end"):
        read_splits(packed)
    path.write_text("symbol,date,ratio\nS:X,2005-02-28," + "2" * csv.field_size_limit() + "2\n")
    with pytest.raises(DataError, match=r"splits\.csv line 1: field larger than field limit"):
        read_splits(path)
