"""The start of a day, as known to runs that start later in it."""

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from strategy_runtime.runtime.store import DayFile

DAY = date(2024, 3, 4)
FULL, LESS = Decimal("1000.50"), Decimal("900")


def test_a_later_run_counts_from_the_start_of_the_day(tmp_path: Path) -> None:
    assert DayFile(tmp_path).began_with(DAY, FULL) == FULL
    assert DayFile(tmp_path).began_with(DAY, LESS) == FULL
    assert DayFile(tmp_path).began_with(DAY + timedelta(days=1), LESS) == LESS
    assert DayFile(tmp_path).began_with(DAY + timedelta(days=1), FULL) == LESS
    assert (tmp_path / "day.json").read_text() == '{"day":"2024-03-05","equity":"900"}\n'
    assert (tmp_path / "day.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("days", [0, 1])
def test_a_later_run_knows_to_what_equity_fell_until_the_next_day(
    days: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = datetime(2024, 3, 4, 15, tzinfo=UTC) + timedelta(days=days)
    monkeypatch.setattr("strategy_runtime.runtime.store.day.now", lambda: present)
    file, following = DayFile(tmp_path), DAY + timedelta(days=1)
    assert file.began_with(DAY, FULL) == FULL
    assert file.fell_to(DAY) is None
    file.note_fall(DAY, LESS)
    again = DayFile(tmp_path)
    assert again.began_with(DAY, LESS) == FULL
    assert again.fell_to(DAY) == LESS
    again.note_fall(following, Decimal(1))  # an unknown day
    assert again.fell_to(DAY) == LESS
    assert again.fell_to(following) is None
    assert again.began_with(following, LESS) == LESS
    assert again.fell_to(following) is None


def test_what_was_lost_on_a_day_of_a_replay_is_not_held_against_the_next_one(
    tmp_path: Path,
) -> None:
    file = DayFile(tmp_path)
    file.began_with(DAY, FULL)
    file.note_fall(DAY, LESS)
    assert file.fell_to(DAY) is None


def test_an_old_price_does_not_have_the_day_forgotten_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = [datetime(2024, 3, 4, 15, tzinfo=UTC)]
    monkeypatch.setattr("strategy_runtime.runtime.store.day.now", lambda: today[0])
    assert DayFile(tmp_path).began_with(DAY, FULL) == FULL
    later = DayFile(tmp_path)
    assert later.began_with(DAY - timedelta(days=1), LESS) == LESS
    assert later.began_with(DAY, LESS) == FULL
    today[0] += timedelta(days=300)  # so the days are those of a replay, which may start again
    assert later.began_with(DAY - timedelta(days=1), LESS) == LESS
    assert later.began_with(DAY, LESS) == LESS


@pytest.mark.parametrize(
    "text", ["", '{"day":"2024-03-04"}', '{"day":1,"equity":"x"}', '{"x":' + "[" * 100_000]
)
def test_a_file_that_cannot_be_read_begins_anew_and_says_so(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = DayFile(tmp_path)
    file.path.write_text(text)
    assert file.began_with(DAY, LESS) == LESS
    assert f"{file.path} cannot be read (" in caplog.text
    assert "the daily loss counts from this run on" in caplog.text
    assert file.began_with(DAY, FULL) == LESS


def test_on_a_full_disk_the_day_begins_with_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(os, "write", lambda file, data: len(data) // 2)
    assert DayFile(tmp_path).began_with(DAY, FULL) == FULL
    assert "cannot be written (the disk is full): the daily loss counts from this" in caplog.text
