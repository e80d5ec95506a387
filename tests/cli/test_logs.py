"""Log lines: alike for both libraries, on stderr, with colour only if wanted."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp import web

from tests.cli.support import BUYER, environment, started
from tests.proxy.scripted import CONNECTED, ScriptedProxy, candle

SCRIPT = """
import logging, sys
from strategy_runtime.cli.logs import set_up, set_up_lazily
from strategy_runtime.strategy.log import logger_of

{how}
logging.getLogger("other.library").info("from the %s", "standard library")
logging.getLogger("other.library").debug("not shown")
print("structlog" in sys.modules)
logger_of("Bot").info("from the strategy", price=1.5, thing=object)
logger_of("Bot").debug("not shown")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("other.library").exception("failed")
"""


def lines(how: str, tmp_path: Path, **env: str) -> tuple[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(how=how)],
        cwd=tmp_path,
        env=environment(env),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), done.stderr.splitlines()


def test_json_lines_of_both_libraries(tmp_path: Path) -> None:
    _, said = lines("set_up('info', 'json')", tmp_path)
    library, strategy, failure = map(json.loads, said)
    assert (library["event"], library["level"], library["logger"]) == (
        "from the standard library",
        "info",
        "other.library",
    )
    assert (strategy["event"], strategy["strategy"], strategy["price"]) == (
        "from the strategy",
        "Bot",
        1.5,
    )
    assert strategy["thing"] == "<class 'object'>"
    assert "ZeroDivisionError" in failure["exception"]
    for line in (library, strategy, failure):
        assert line["timestamp"].endswith("Z")


def test_auto_means_json_on_a_pipe(tmp_path: Path) -> None:
    _, said = lines("set_up()", tmp_path)
    assert json.loads(said[0])["level"] == "info"


@pytest.mark.parametrize(
    ("env", "has_color"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_console_lines_have_colour_only_where_it_is_wanted(
    env: dict[str, str], has_color: bool, tmp_path: Path
) -> None:
    _, said = lines("set_up('info', 'console')", tmp_path, **env)
    assert "from the standard library" in said[0]
    assert "from the strategy" in said[1]
    assert any("\x1b[" in line for line in said) is has_color


def test_lazily_means_that_structlog_waits_for_the_strategy(tmp_path: Path) -> None:
    has_been_imported, said = lines("set_up_lazily()", tmp_path)
    assert has_been_imported == "False"
    assert said[0] == "INFO from the standard library"
    assert "[info     ] from the strategy" in said[1]
    assert any("ZeroDivisionError" in line for line in said)
    assert not any("not shown" in line for line in said)


def test_lazily_keeps_to_json_where_that_is_asked_for(tmp_path: Path) -> None:
    _, said = lines("set_up_lazily('info', 'json')", tmp_path)
    assert [json.loads(line)["level"] for line in said] == ["info", "info", "error"]


def test_no_text_from_outside_passes_for_a_plain_line(tmp_path: Path) -> None:
    forged = "set_up_lazily()\nlogging.warning('a\\nERROR forged')"
    _, said = lines(forged, tmp_path)
    assert said[:2] == ["WARNING a", "    ERROR forged"]


@pytest.mark.parametrize(("level", "form"), [("error", "auto"), ("info", "json")])
def test_the_environment_has_its_say(level: str, form: str, tmp_path: Path) -> None:
    how = "import os\nfrom strategy_runtime.cli.logs import set_up_from\nset_up_from(os.environ)"
    _, said = lines(how, tmp_path, LOG_LEVEL=level, LOG_FORMAT=form)
    assert any("from the strategy" in line for line in said) is (level == "info")
    assert said[0].startswith("{") is (form == "json")


@pytest.mark.parametrize("mode", ["live", "backtest"])
async def test_what_is_said_of_a_frame_has_the_id_of_that_frame(mode: str, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(
        f"{BUYER}\n    def on_stop(self):\n        self.log.info('bye')\n"
    )
    quote = {"symbol": "S:X", "bid": "3", "ask": "2", "timestamp": "2024-03-04T14:00:00Z"}

    async def scene(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        for frame, event_id in (
            (CONNECTED, None),
            (candle(1), "evt-1"),
            ({**candle(2), "bar": None}, "evt-2"),
            ("no JSON", None),
            ({"type": "quote", "event_id": "evt-3", "quote": quote}, "evt-3"),
        ):
            await proxy.say(socket, frame)
            if event_id is not None:
                await proxy.until_acked(event_id)
        process.send_signal(signal.SIGTERM)
        await proxy.until_closed(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(404, {})]
        flags = (*proxy.flags, "--mode", mode, "--state-dir", "none")
        with started("run", "bot", *flags, cwd=tmp_path) as process:
            _, said = await asyncio.to_thread(process.communicate, timeout=30)
    log = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    parts = ("bar is missing", "not JSON", "bid is above the ask", "bye")
    ids = {part: [line.get("event_id") for line in log if part in line["event"]] for part in parts}
    assert ids == {
        "bar is missing": ["evt-2"],
        "not JSON": [None],
        "bid is above the ask": ["evt-3"],
        "bye": [None],
    }
