"""The Dockerfiles pass the linter."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from strategy_runtime.scaffold.names import check_name
from strategy_runtime.scaffold.project import create_project
from strategy_runtime.scaffold.templates import find_template, templates_folder

ROOT = Path(__file__).resolve().parents[2]
HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or ""

pytestmark = pytest.mark.skipif(not HADOLINT, reason="hadolint is not installed")


def lint(path: Path) -> str:
    done = subprocess.run(
        [HADOLINT, "--no-color", str(path)], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_the_runtimes_has_no_faults() -> None:
    assert lint(ROOT / "Dockerfile") == ""


def test_a_projects_has_none_either(tmp_path: Path) -> None:
    template = find_template(templates_folder(), "minimal")
    create_project(check_name("my-bot"), template, templates_folder(), tmp_path)
    assert lint(tmp_path / "my-bot" / "Dockerfile") == ""


def test_what_is_audited_is_what_is_installed() -> None:
    installed = [
        re.findall(r"--extra (\w+)", line)
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if "uv sync" in line
    ]
    audited = re.findall(r"--extra (\w+)", (ROOT / ".ci" / "supply-chain").read_text())
    assert installed == [audited, audited]


def test_a_projects_packages_are_locked_for_what_its_image_has() -> None:
    # On another system uv would leave out dependencies that only Linux needs.
    (python,) = re.findall(r"^ARG PYTHON=python:([\d.]+)-", (ROOT / "Dockerfile").read_text(), re.M)
    lock = (templates_folder() / "project" / "requirements.lock").read_text()
    assert f" --python-version {python} --python-platform linux " in lock


def test_the_linter_sees_a_fault(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nCMD python\n")
    assert "DL3007" in lint(tmp_path / "Dockerfile")
