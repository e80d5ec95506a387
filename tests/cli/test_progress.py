"""Progress on a terminal."""

import asyncio
import io
import sys

import pytest

from strategy_runtime.cli import progress
from strategy_runtime.cli.progress import counted, replayed
from strategy_runtime.simulator.exchange import Exchange
from tests.report.support import series


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


async def shown(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "_PATIENCE_S", 0)
    exchange = Exchange([series([1.0, 2.0, 3.0, 4.0])])
    phases = exchange.phases()
    async with replayed(exchange):
        for _ in range(2):
            next(phases)
            exchange.outbox.clear()
        while isinstance(stream, Terminal) and "%" not in stream.getvalue():  # noqa: ASYNC110
            await asyncio.sleep(0)  # noqa: TID251
    return stream.getvalue()


async def test_progress_is_shown_on_a_terminal_and_wiped_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = await shown(Terminal(), monkeypatch)
    assert "\r 50%  2023-11-14" in text
    assert text.endswith("\r" + " " * 20 + "\r")


async def test_progress_is_not_shown_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await shown(io.StringIO(), monkeypatch) == ""


def test_what_is_counted_is_shown_on_a_terminal_and_wiped_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert [*counted("abc", 1_000)] == ["a", "b", "c"]
    lines = terminal.getvalue().split("\r")
    assert [line.rstrip() for line in lines[1:-2:2]] == ["1 of 1,000", "2 of 1,000", "3 of 1,000"]
    assert lines[-2:] == [" " * 20, ""]


def test_a_line_of_the_log_takes_the_place_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for _ in counted("a", 1):
        print("WARNING order refused: S:A Bot-bt-1", file=sys.stderr)
    assert "1 of 1" in terminal.getvalue()
    assert "\rWARNING order refused: S:A Bot-bt-1\n" in terminal.getvalue()


def test_what_is_counted_is_not_shown_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    assert [*counted("abc", 3)] == ["a", "b", "c"]
    assert stream.getvalue() == ""
