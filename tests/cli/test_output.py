"""How the next command is proposed."""

import sys
from pathlib import Path

import pytest

from strategy_runtime.cli.output import command_beside


def make_executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_command_on_the_path_is_called_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("strategy-backtest", "strategy-run"):
        make_executable(tmp_path / name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "strategy-backtest")])
    assert command_beside("strategy-run") == "strategy-run"


@pytest.mark.parametrize("typed", [".venv/bin/strategy-backtest", "{}/.venv/bin/strategy-backtest"])
def test_a_command_that_is_not_is_called_by_its_path_from_here(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_executable(tmp_path / ".venv/bin/strategy-run")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [typed.format(tmp_path)])
    assert command_beside("strategy-run") == ".venv/bin/strategy-run"


def test_a_command_far_away_is_called_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = make_executable(tmp_path / "far/bin/strategy-run")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(sys, "argv", [str(far.with_name("strategy-backtest"))])
    assert command_beside("strategy-run") == str(far)
