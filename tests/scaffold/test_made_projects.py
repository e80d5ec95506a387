"""The project of each template runs, and passes its checks."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from strategy_runtime.scaffold.names import ProjectName, check_name
from strategy_runtime.scaffold.project import create_project
from strategy_runtime.scaffold.templates import find_template, list_templates, templates_folder

ROOT = Path(__file__).resolve().parents[2]
FOLDER = templates_folder()
PROJECTS = {each.name: check_name(f"my-{each.name}") for each in list_templates(FOLDER)}


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a project of each template."""
    folder = tmp_path_factory.mktemp("projects")
    for each in list_templates(FOLDER):
        create_project(PROJECTS[each.name], each, FOLDER, folder)
    return folder


def call(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS)
def test_its_tests_pass_and_its_backtest_trades(project: ProjectName, parent: Path) -> None:
    folder = parent / project.name
    assert " passed" in call("pytest", "-q", "-p", "no:cacheprovider", cwd=folder).stdout
    done = call("strategy_runtime.cli.backtest", project.target, cwd=folder)
    assert "S:AAPL, S:IBM, S:MSFT  1d  2011-01-03 to 2013-01-01" in done.stdout
    fills = (folder / "results" / project.class_name / "fills.csv").read_text().splitlines()
    assert len(fills) > 40
    assert "refused" not in done.stderr


@pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS)
def test_it_has_no_other_class_that_a_project_could_be_called_as(
    project: ProjectName, parent: Path
) -> None:
    module = (parent / project.name / f"{project.module}.py").read_text()
    others = set(re.findall(r"^class (\w+)", module, re.MULTILINE)) - {project.class_name}
    assert all(name.startswith("_") for name in others)


@pytest.mark.parametrize("project", PROJECTS.values(), ids=PROJECTS)
def test_its_readme_sets_a_parameter_that_its_strategy_has(
    project: ProjectName, parent: Path
) -> None:
    readme = (parent / project.name / "README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if "backtest" in line]
    plain, by_option, by_variable = (
        result(command, parent / project.name)["parameters"] for command in commands
    )
    assert plain != by_option == by_variable
    (sweep,) = re.findall(r"^strategy-sweep .*", readme, re.MULTILINE)
    runs = result(sweep, parent / project.name)["runs"]
    assert len({str(run["parameters"]) for run in runs}) == 3
    assert [run["refused_orders"] for run in runs] == [0, 0, 0]


def result(command: str, folder: Path) -> Any:
    """Run a command line as a reader of the README would type it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", f"{command} --json"],
        cwd=folder,
        env={"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_rotation_sells_nothing_that_it_receives_no_candles_of(tmp_path: Path) -> None:
    create_project(check_name("my-bot"), find_template(FOLDER, "multi-symbol"), FOLDER, tmp_path)
    folder = tmp_path / "my-bot"
    (folder / "beside.py").write_text(
        "from my_bot import MyBot\n\n"
        "class Beside(MyBot):\n"
        "    def on_start(self) -> None:\n"
        "        super().on_start()\n"
        "        self.buy('S:MSFT', 5)  # as somebody else would on the same account\n"
    )
    of_two = "SUBSCRIPTIONS=S:AAPL:candle_1d,S:IBM:candle_1d strategy-backtest beside:Beside"
    positions = result(of_two, folder)["positions"]
    assert [(each["symbol"], each["quantity"]) for each in positions] == [("S:MSFT", "5")]


def test_the_linter_and_the_formatter_have_nothing_to_say(parent: Path) -> None:
    for project in PROJECTS.values():
        call("ruff", "check", "--no-cache", ".", cwd=parent / project.name)
        call("ruff", "format", "--no-cache", "--check", ".", cwd=parent / project.name)


@pytest.mark.parametrize("name", ["a" * 40, "a1-" * 13 + "a"], ids=["a word", "words"])
def test_they_have_nothing_to_say_to_the_longest_names(name: str, tmp_path: Path) -> None:
    for each in list_templates(FOLDER):
        create_project(check_name(name), each, FOLDER, tmp_path / each.name)
    call("ruff", "check", "--no-cache", ".", cwd=tmp_path)
    call("ruff", "format", "--no-cache", "--check", ".", cwd=tmp_path)


def test_the_type_checker_has_nothing_to_say(parent: Path) -> None:
    modules = [
        path
        for project in PROJECTS.values()
        for path in (f"{project.name}/{project.module}.py", f"{project.name}/tests")
    ]
    settings = parent / "mypy.ini"
    places = ":".join(str(parent / project.name) for project in PROJECTS.values())
    settings.write_text(
        f"[mypy]\nstrict = true\nexplicit_package_bases = true\nnamespace_packages = true\n"
        f"mypy_path = {places}:{ROOT}\ncache_dir = {ROOT / '.mypy_cache'}\n"
    )
    done = call("mypy", "--config-file", settings, *modules, cwd=parent)
    assert "no issues found in 10 source files" in done.stdout


def test_the_checks_of_the_readme_are_those_of_its_ci_and_pass(parent: Path) -> None:
    folder = parent / PROJECTS["minimal"].name
    (checks,) = re.findall(r"^ruff .*", (folder / "README.md").read_text(), re.MULTILINE)
    ci = (folder / ".github" / "workflows" / "ci.yml").read_text()
    for check in checks.split(" && "):
        assert check.removesuffix(" .") in ci
        call(*check.split(), cwd=folder)


def test_the_type_checker_reads_further_modules_of_a_project_too(tmp_path: Path) -> None:
    create_project(check_name("my-bot"), find_template(FOLDER, "minimal"), FOLDER, tmp_path)
    (tmp_path / "my-bot" / "second.py").write_text("wrong: int = 'text'\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", ROOT / ".mypy_cache"],
        cwd=tmp_path / "my-bot",
        env={"PATH": os.environ["PATH"], "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "second.py:1: error" in done.stdout
    assert "Found 1 error in 1 file (checked 3 source files)" in done.stdout


def test_a_wheel_of_a_project_has_the_modules_that_its_image_has(tmp_path: Path) -> None:
    create_project(check_name("my-bot"), find_template(FOLDER, "minimal"), FOLDER, tmp_path)
    settings = tomllib.loads((tmp_path / "my-bot" / "pyproject.toml").read_text())
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"] == {"include": ["/*.py"]}
    assert "\nCOPY *.py ./\n" in (tmp_path / "my-bot" / "Dockerfile").read_text()


def test_the_market_maker_trades_on_real_quotes(parent: Path) -> None:
    market_data = os.environ.get("MARKET_DATA")
    if market_data is None:
        pytest.skip("MARKET_DATA names no folder of market data")
    project = PROJECTS["market-maker"]
    quotes = Path(market_data) / "eurusd_quote_ticks_2014-05-02.csv.gz"
    done = call(
        *("strategy_runtime.cli.backtest", project.target, "--data", quotes),
        *("--set", "spread=0.0002", "--json"),
        cwd=parent / project.name,
    )
    assert json.loads(done.stdout)["fills"] > 300
