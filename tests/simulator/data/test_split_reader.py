"""Files of splits."""

import csv
import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from strategy_runtime.errors import ConfigError, DataError
from strategy_runtime.simulator.data.split_reader import read_splits, splits_of
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
        ("S:X,2005-02-28,0", "line 2: S:X 0:1 2005-02-28 is no split: both sides of the ratio"),
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


def test_from_python_they_are_given_as_results_write_them_or_by_a_file(tmp_path: Path) -> None:
    splits = read_splits(write(tmp_path, "S:X,2005-02-28,2:1", "a b,2020-08-31,1:10"))
    assert splits_of([str(each) for each in splits]) == splits_of(splits) == splits
    assert splits_of(str(tmp_path / "splits.csv")) == splits
    of_tokyo = read_splits(tmp_path / "splits.csv", zone_of("Asia/Tokyo"))
    assert str(of_tokyo[0]) == "S:X 2:1 2005-02-27T15:00:00Z"
    assert splits_of([str(each) for each in of_tokyo]) == of_tokyo
    assert splits_of(["S:X 2:1 2005-02-28T00:00+09:00"]) == of_tokyo[:1]
    assert splits_of([]) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (5, "splits are a file, or a list such as ['AAPL 2:1 2005-02-28'], not 5"),
        (["AAPL 2:1"], "splits: 'AAPL 2:1': that is none; they are a file, or a list such as ["),
        ([{"symbol": "A"}], "splits: {'symbol': 'A'}: that is none; they are a file, or a list"),
        (["A 2005-02-28 2:1"], "splits: 'A 2005-02-28 2:1': '2:1' is no time"),
        (["A much 2005-02-28"], "splits: 'A much 2005-02-28': 'much' is no ratio of new units to"),
    ],
)
def test_splits_that_are_given_in_another_way_are_refused(given: object, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        splits_of(given)
    assert str(caught.value).startswith(said)
