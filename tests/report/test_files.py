"""Atomic writing of files."""

import os
import subprocess
from pathlib import Path

import pytest

from strategy_runtime.backtesting import backtest
from strategy_runtime.demo import PRICES
from strategy_runtime.demo.strategy import SmaCross
from strategy_runtime.errors import DataError
from strategy_runtime.report.files import (
    ensure_writable,
    files_in,
    write_atomically,
    write_results,
)


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


def test_where_one_file_cannot_be_written_the_others_stay_those_of_the_run_before(
    tmp_path: Path,
) -> None:
    results = backtest(SmaCross(), PRICES)
    for path in files_in(tmp_path):
        path.write_text("of the run before")
    (tmp_path / "report.html").unlink()
    (tmp_path / "report.html").mkdir()
    with pytest.raises(DataError, match=r"^cannot write .*report\.html: it is a folder$"):
        write_results(tmp_path, results)
    (tmp_path / "report.html").rmdir()
    assert {path.read_text() for path in tmp_path.iterdir()} == {"of the run before"}


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "fills.csv"
    with pytest.raises(DataError, match=r"^cannot write .*fills\.csv: .*/file is not a folder$"):
        write_atomically(path, "")
    with pytest.raises(DataError, match=r"^cannot write .*: it is a folder$"):
        write_atomically(tmp_path, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match=r"/new/fills\.csv: Permission denied$"):
        ensure_writable(tmp_path / "new" / "fills.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_one(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_file_that_is_a_mount_is_written_to(tmp_path: Path) -> None:
    source, place = tmp_path / "source.csv", tmp_path / "fills.csv"
    source.write_text("what was there before, and longer")
    place.touch()
    if subprocess.call(["sh", "-c", 'mount --bind "$@" 2>/dev/null', "sh", source, place]):
        pytest.skip("a file cannot be mounted here")
    try:
        write_atomically(place, "new")
    finally:
        subprocess.run(["umount", place], check=True)
    assert source.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [place, source]


def test_a_circle_of_links_is_told_before_there_is_anything_to_write(tmp_path: Path) -> None:
    link = tmp_path / "fills.csv"
    link.symlink_to("other.csv")
    (tmp_path / "other.csv").symlink_to(link.name)
    with pytest.raises(DataError) as refusal:
        ensure_writable(link)
    assert str(refusal.value) == f"cannot write {link}: Too many levels of symbolic links"
