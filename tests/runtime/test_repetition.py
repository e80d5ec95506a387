"""Repeated log lines, in a backtest and over the network."""

import asyncio
import json
import logging
import signal
from pathlib import Path

import pytest
from aiohttp import web

from strategy_runtime.runtime import repetition
from tests.cli.support import BUYER, call, started
from tests.proxy.scripted import CONNECTED, ScriptedProxy, candle

STUBBORN = """
from strategy_runtime import Strategy


class Stubborn(Strategy):
    def on_candle(self, candle):
        self.buy("S:NONE", 1)
        self.buy("S:NONE" if candle.close < 300 else "S:NOTHING", 1)
        {more}
"""


def said_by(folder: Path, *arguments: str, more: str = "", **env: str) -> list[str]:
    (folder / "bot.py").write_text(STUBBORN.format(more=more))
    done = call("backtest", "bot", "--demo", "--json", *arguments, cwd=folder, env=env)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_twenty_lines_of_a_kind_are_enough_and_the_others_are_counted(tmp_path: Path) -> None:
    *lines, first, second, all_of_them = said_by(tmp_path)
    for symbol in ("S:NONE", "S:NOTHING"):
        assert sum(f"order refused: {symbol} " in line for line in lines) == 20
    assert len(lines) == 40
    assert first.startswith("4,")
    assert ": order refused: S:NONE Stubborn-bt-21: " in first
    assert ": order refused: S:NOTHING " in second
    counts = [int(each.split()[0].replace(",", "")) for each in (first, second)]
    assert sum(counts) + len(lines) == 2 * 2518
    assert all_of_them == "LOG_LEVEL=debug has all of them."


def test_all_of_them_are_there_where_that_is_asked_for(tmp_path: Path) -> None:
    lines = said_by(tmp_path, LOG_LEVEL="debug")
    assert sum("order refused" in line for line in lines) == 2 * 2518
    assert not any("left out" in line for line in lines)


def test_what_a_strategy_logs_is_all_there(tmp_path: Path) -> None:
    lines = said_by(tmp_path, more='self.log.warning("mine")')
    assert sum("mine" in line for line in lines) == 2518


def test_few_lines_are_left_as_they_are(tmp_path: Path) -> None:
    lines = said_by(tmp_path, "--to", "2008-01-08")
    assert sum("order refused" in line for line in lines) == len(lines) == 16


def test_many_kinds_are_summed_up(tmp_path: Path) -> None:
    more = 'self.buy("ABCDEFGHIJ"[candle.timestamp.day % 10] * 3, 1)'
    lines = said_by(tmp_path, more=more)
    assert sum("more lines like this were left out" in line for line in lines) == 5
    assert lines[-2].endswith(" lines of 7 other kinds were left out.")


def test_a_warning_that_is_repeated_is_summed_up_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log, times = logging.getLogger("strategy_runtime"), [0.0, 1.0, 9.9, 10.0, 15.0, 25.0]
    clock = iter([*times, 25.0, 25.0, 25.0])
    monkeypatch.setattr(repetition, "monotonic", lambda: next(clock))
    with caplog.at_level("INFO"), repetition.limit_repeated_warnings():
        for _ in times:
            log.warning("odd %s", "quote")
            log.info("as usual")
            log.error("failed", exc_info=ValueError("in its own way"))
        log.warning("odd %s", "candle")
        log.error("bad")
        log.error("bad")
    log.warning("odd %s", "candle")
    said = [each.getMessage() for each in caplog.records]
    assert said.count("as usual") == said.count("failed") == len(times)
    assert said.count("bad") == 1
    assert [each for each in said if each.startswith("odd")] == [
        "odd quote",
        "odd quote (2 more like it in between)",
        "odd quote (1 more like it in between)",
        "odd candle",
        "odd candle",
    ]


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (logging.WARNING, "order refused: bot-{}"),
        (logging.ERROR, "on_quote failed at 10:00:{}\nTraceback"),
    ],
)
def test_twenty_lines_in_a_minute_that_differ_only_in_numbers_are_enough(
    level: int, text: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    log, moment = logging.getLogger("strategy_runtime"), 0.0
    monkeypatch.setattr(repetition, "monotonic", lambda: moment)
    with caplog.at_level("INFO"), repetition.limit_repeated_warnings():
        for number in range(1, 51):
            log.log(level, text.format(number))
            log.error("anomaly: bot-%d never arrived", number)
        moment = 60.0
        log.log(level, text.format(51))
        log.log(level, text.format(52))
    said = [each.getMessage() for each in caplog.records]
    assert [each for each in said if "anomaly" not in each] == [
        *(text.format(number) for number in range(1, 21)),
        f"{text.format(51)} (30 more like it in between)",
        text.format(52),
    ]
    assert sum("anomaly" in each for each in said) == 50


@pytest.mark.parametrize(
    ("content", "odd"),
    [
        ({"bid": "3", "ask": "2"}, "the bid is above the ask"),
        ({"bid": "2", "ask": "3", "timestamp": "04.03.2024 14:00:00.{}"}, "expected RFC 3339"),
    ],
)
async def test_a_flood_of_odd_frames_floods_no_log(
    content: dict[str, str], odd: str, tmp_path: Path
) -> None:
    (tmp_path / "bot.py").write_text(BUYER)
    frame = {"type": "quote", "quote": {"symbol": "S:X", **content}}
    quotes = [json.dumps(frame).replace("{}", str(number)) for number in range(2000)]

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, *quotes, candle(1))
        await proxy.until_acked("evt-1")
        seen.set()
        await proxy.until_closed(socket)

    seen = asyncio.Event()
    async with ScriptedProxy(scene).serving() as proxy:
        live = ("--mode", "live", "--state-dir", "none")
        with started("run", "bot", *proxy.flags, *live, cwd=tmp_path) as process:
            await seen.wait()
            process.send_signal(signal.SIGTERM)
            _, said = await asyncio.to_thread(process.communicate, timeout=10)
    assert process.returncode == 0
    assert 1 <= said.count(odd) <= 22
