"""Log lines: both libraries alike, on stderr, with colour only where it is wanted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import environment

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
