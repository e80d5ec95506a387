"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from strategy_runtime.errors import DataError
from strategy_runtime.report.files import write_atomically


def test_a_file_and_the_folders_above_it_are_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "result.json"
    write_atomically(path, "ä\n")
    assert path.read_bytes() == "ä\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_text("old and longer")
    write_atomically(path, "new")
    assert path.read_text() == "new"


def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "fills.csv"
    with pytest.raises(
        DataError, match=r"^cannot write .*fills\.csv: (Not a directory|File exists)$"
    ):
        write_atomically(path, "")
