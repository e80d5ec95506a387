"""Columns in files: the same numbers, and nothing left behind."""

import mmap
import tempfile
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.simulator.data import spill
from strategy_runtime.simulator.data.spill import Column
from tests.simulator.data.support import HEADER, load, only


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns go to files from a hundred numbers on."""
    monkeypatch.setattr(spill, "SPILL_AT", 100)


@given(parts=st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=90), max_size=12))
def test_a_column_holds_what_was_put_into_it(parts: list[list[int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "SPILL_AT", 100)
        column, expected = Column("q"), []
        for number, part in enumerate(parts):
            if number % 2:
                column.extend(array("q", part))
            else:
                for each in part:
                    column.append(each)
            expected += part
        assert len(column) == len(expected)
        numbers, pages = column.finish()
        assert (pages is not None) is isinstance(numbers, memoryview)
        assert numbers.tolist() == expected
        assert numbers[3:150].tolist() == expected[3:150]


def test_memory_can_be_given_back_and_the_numbers_are_still_there() -> None:
    column = Column("d")
    column.extend(array("d", map(float, range(spill.SPILL_AT + 5))))
    numbers, pages = column.finish()
    assert pages is not None
    assert sum(numbers) == sum(range(spill.SPILL_AT + 5))
    pages.release()
    assert numbers[spill.SPILL_AT + 4] == spill.SPILL_AT + 4


@pytest.mark.usefixtures("small")
def test_files_read_the_same_from_memory_and_from_disk(tmp_path: Path) -> None:
    rows = [
        f"{1_700_000_000 + 60 * number},{9 + number % 3},20,1,{5 + number % 7},{number}"
        for number in range(750)
    ]
    rows[300], rows[301] = rows[301], rows[300]
    text = HEADER + "\n".join(rows + rows[-1:]) + "\n"
    disk = load(tmp_path, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "SPILL_AT", 10_000)
        memory = load(tmp_path, text)
    assert only(disk).pages
    assert not only(memory).pages
    for one, other in zip(only(disk).columns, only(memory).columns, strict=True):
        assert one.tolist() == other.tolist()
    assert disk.faults == memory.faults
    assert len(only(disk)) == 750


@pytest.mark.usefixtures("small")
def test_nothing_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    column = Column("q")
    column.extend(array("q", range(1000)))
    numbers, _ = column.finish()
    assert numbers[999] == 999
    assert list(folder.iterdir()) == []


def test_where_memory_cannot_be_given_back_nothing_happens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
    column = Column("q")
    column.extend(array("q", range(spill.SPILL_AT)))
    numbers, pages = column.finish()
    assert pages is not None
    pages.release()
    assert numbers[7] == 7
