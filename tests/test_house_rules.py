"""Rules for the whole repository that no linter checks."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

import strategy_runtime

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "strategy_runtime"
MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = (
    *("strategy_runtime", "tests", "examples", "docs", "templates", "ops", "benchmarks"),
    *(".ci", ".github"),
)
TEXT = {f".{each}" for each in "cfg csv html jinja json jsonl md py toml txt yaml yml".split()}

MACHINE_PATH = re.compile(r"(?:(?<![\w./-])|(?<=file://))/(?:work|home|root|Users)/")
# In two pieces so that this file obeys its own rule.
OUTSIDE = re.compile(re.escape("../" + "shared"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts() -> Iterator[tuple[str, str]]:
    files = [path for path in ROOT.iterdir() if path.is_file()]
    for folder in FOLDERS:
        files += (ROOT / folder).rglob("*")
    for path in files:
        if path.is_file() and (path.suffix in TEXT or path.name in ("Dockerfile", "run")):
            yield name_of(path), path.read_text(encoding="utf-8")


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def test_the_rules_see_the_repository() -> None:
    seen = {name for name, _ in texts()}
    assert {"pyproject.toml", "strategy_runtime/__init__.py", "tests/test_house_rules.py"} <= seen
    assert len(MODULES) > 20


@pytest.mark.parametrize("folder", ["work", "home", "root", "Users"])
@pytest.mark.parametrize("before", ["", "see ", 'open("', "file://"])
def test_a_path_of_one_machine_is_recognised(before: str, folder: str) -> None:
    assert MACHINE_PATH.search(f"{before}/{folder}/prices.csv")


@pytest.mark.parametrize("text", ["https://example.com/work/x", "docs/home/index.md", "./home/x"])
def test_a_relative_path_or_an_address_is_not(text: str) -> None:
    assert not MACHINE_PATH.search(text)


def test_no_file_names_a_path_of_one_machine() -> None:
    assert lines_with(MACHINE_PATH) == []


def test_no_test_borrows_from_another_test() -> None:
    borrowing = re.compile(r"^from tests\.(\w+\.)*test_\w+ import ")
    assert [line for line in lines_with(borrowing) if line.startswith("tests/")] == []


def test_no_file_leans_on_a_folder_outside_the_repository() -> None:
    assert lines_with(OUTSIDE) == []


@pytest.mark.skipif(
    not shutil.which("git") or not (ROOT / ".git").exists(), reason="no git, or not a clone"
)
def test_what_was_tried_out_at_the_top_is_not_kept() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loose = [path for path in map(Path, listed.stdout.splitlines()) if path.parent == Path()]
    assert {path.suffix for path in loose} <= {"", ".lock", ".md", ".toml"}


def modules_of(package: Path) -> Iterator[str]:
    """Yield the names of the modules and packages in a package."""
    for path in package.parent.iterdir():
        if path.suffix == ".py" and path != package:
            yield path.stem
        elif (path / "__init__.py").is_file():
            yield path.name


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if tree.body:
        assert ast.get_docstring(tree), f"{name_of(path)} has no module docstring"


LARGE = [path for path in PACKAGE.rglob("__init__.py") if len([*modules_of(path)]) > 7]


@pytest.mark.parametrize("path", [path for path in LARGE if path.parent != PACKAGE], ids=name_of)
def test_a_large_package_says_what_each_of_its_modules_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    named = re.findall(r"`([a-z_0-9]+)`", docstring.partition("\n* ")[2])
    assert sorted(named) == sorted(modules_of(path)), (
        f"list them in the docstring of {name_of(path)}"
    )


@pytest.mark.parametrize(
    "path", [path for path in MODULES if PACKAGE / "cli" not in path.parents], ids=name_of
)
def test_only_the_commands_print(path: Path) -> None:
    calls = [
        f"{name_of(path)}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert calls == []


def test_the_package_ships_its_types() -> None:
    assert (PACKAGE / "py.typed").is_file()


def test_the_lock_file_names_only_the_public_registry() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text(encoding="utf-8")))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_every_locked_file_has_a_hash() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    fetched = [each for each in locked if "registry" in each["source"]]
    assert len(fetched) > 20
    for package in fetched:
        files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        assert files
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]


def test_the_version_has_one_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert project["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", strategy_runtime.__version__)


def test_zones_are_known_whatever_the_system_has() -> None:
    """Vendors write EST and US/Eastern, which Debian has in a package of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "tzdata" in project["dependencies"]
    probe = "from zoneinfo import ZoneInfo; print(ZoneInfo('EST'), ZoneInfo('US/Eastern'))"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["EST", "US/Eastern"]


def scripts() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, str] = project["scripts"]
    return found


@pytest.mark.parametrize(("name", "target"), scripts().items(), ids=scripts())
def test_a_command_leads_to_a_function(name: str, target: str) -> None:
    module, _, function = target.partition(":")
    assert callable(getattr(import_module(module), function)), name


def test_importing_the_package_stays_light() -> None:
    heavy = ["aiohttp", "click", "numpy", "pyarrow", "pytest", "structlog", "uvloop"]
    probe = f"import sys, strategy_runtime; print(*sorted(set(sys.modules) & set({heavy})))"
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_every_public_name_of_the_package_exists() -> None:
    missing = [
        name
        for name in getattr(strategy_runtime, "__all__", ())
        if not hasattr(strategy_runtime, name)
    ]
    assert missing == []
