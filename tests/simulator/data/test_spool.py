"""Columns in memory and in files: same numbers, memory released, no files left."""

import errno
import mmap
import os
import tempfile
from array import array
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.errors import DataError
from strategy_runtime.simulator.data.load import load_bars
from strategy_runtime.simulator.data.spool import STRETCH, Room, Spool
from tests.simulator.data.support import HEADER, only

integers = st.integers(-(2**63), 2**63 - 1)
parts = st.lists(st.tuples(st.integers(0, 2), st.lists(integers, min_size=1, max_size=40)))


@given(parts=parts, most_in_memory=st.sampled_from([0, 200, 10**6]))
def test_tables_hold_what_was_put_into_them(
    parts: list[tuple[int, list[int]]], most_in_memory: int
) -> None:
    spool = Spool(most_in_memory)
    tables = [spool.table("qd") for _ in range(3)]
    expected: list[list[int]] = [[], [], []]
    for number, part in parts:
        tables[number].place([[1], [1.0]])  # and not kept
        floats = [float(each) for each in part]
        placed = tables[number].place([part, floats])
        assert [list(column) for column in placed] == [part, floats]
        tables[number].keep(len(part))
        expected[number] += part
    for table, numbers in zip(tables, expected, strict=True):
        found = [number for stretch in table.stretches() for number in stretch[0]]
        assert found == numbers
        assert list(table.stamps()) == numbers
        assert len(table) == len(numbers)
    spool.close()


@pytest.mark.parametrize(("mebibytes", "on_disk"), [(16, False), (17, True)])
def test_sixteen_mebibytes_are_kept_in_memory(mebibytes: int, on_disk: bool) -> None:
    spool = Spool()
    table = spool.table("q")
    for _ in range(mebibytes * 2**20 // (8 * STRETCH)):
        table.place([numbers("q", range(STRETCH))])
        table.keep(STRETCH)
    assert spool.room().is_on_disk is on_disk
    spool.close()


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_room_keeps_its_columns_after_its_memory_was_given_back(on_disk: bool) -> None:
    room = Room(3 * 8 * 100_000, on_disk=on_disk)
    some, other = room.take("q", 99_999), room.take("qd", 100_000)
    for first in range(0, 99_999, 33_333):
        some.add([numbers("q", range(first, first + 33_333))])
    other.add([numbers("q", [7, 8]), numbers("d", [0.5, 0.25])])
    room.seal()
    (whole,), (one, two) = some.columns, other.columns
    for _ in range(2):
        assert list(whole) == list(range(99_999))
        assert (list(one), list(two)) == ([7, 8], [0.5, 0.25])
        room.release()


def numbers(code: str, items: Iterable[float]) -> "memoryview[float]":
    return memoryview(array(code, items))


def test_memory_is_given_back() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[2]) * mmap.PAGESIZE

    if not Path("/proc/self/statm").exists():
        pytest.skip("no /proc here")
    room = Room(8 * 8_000_000, on_disk=True)
    filling = room.take("d", 8_000_000)
    for _ in range(8):
        filling.add([numbers("d", [1.0] * 1_000_000)])
    room.seal()
    (column,) = filling.columns
    assert sum(column[::512]) == 8_000_000 / 512
    before = resident()
    room.release()
    assert before - resident() > 32 * 2**20
    assert column[7_999_999] == 1.0


def test_nothing_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    path = tmp_path / "X.csv"
    path.write_text(HEADER + "".join(f"{60 * n + 10**9},1,1,1,1,{n}\n" for n in range(100)))
    series = only(load_bars([path], most_in_memory=0))
    assert list(series.volumes) == list(range(100))
    assert list(folder.iterdir()) == []


def test_a_full_disk_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(DataError, match=r"\(No space left on device\); name a folder .* in TMPDIR"):
        Room(1000, on_disk=True)


def test_a_process_that_may_not_have_as_much_memory_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def short(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(mmap, "mmap", short)
    with pytest.raises(MemoryError):
        Room(1000, on_disk=True)


def test_where_memory_cannot_be_given_back_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    room = Room(80, on_disk=True)
    filling = room.take("q", 10)
    filling.add([numbers("q", range(10))])
    room.seal()
    monkeypatch.setattr("sys.platform", "win32")
    room.release()
    assert list(filling.columns[0]) == list(range(10))
