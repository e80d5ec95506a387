"""The folder of a strategy: one process at a time, however it ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from strategy_runtime.errors import ConfigError
from strategy_runtime.runtime.store import StateFolder, default_place

HOLD = """
import sys, time
from pathlib import Path
from strategy_runtime.runtime.store import StateFolder
folder = StateFolder(Path(sys.argv[1]), "Bot@localhost-8080")
print("held", flush=True)
sys.stdin.read()
"""


def running(program: str, place: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def holder(place: Path) -> "subprocess.Popen[str]":
    process = running(HOLD, place)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        with pytest.raises(ConfigError) as refused:
            StateFolder(tmp_path, "Bot@localhost-8080")
        lock = tmp_path / "Bot@localhost-8080" / "lock"
        assert str(refused.value) == (
            f"Bot@localhost-8080 is running already: process {first.pid} holds {lock}; stop it, or "
            "give this one another --state-dir if it trades another account; on the same account, "
            "run a subclass with another name, by which its orders are told apart"
        )
        StateFolder(tmp_path, "Other@localhost-8080").close()
        first.send_signal(signal.SIGKILL)
        first.wait()
        StateFolder(tmp_path, "Bot@localhost-8080").close()


FORKED = """
import os, sys
from pathlib import Path
from strategy_runtime.runtime.store import StateFolder
folder = StateFolder(Path(sys.argv[1]), "Bot")
if os.fork() == 0:
    print("forked", flush=True)
sys.stdin.read()
"""


def test_what_a_killed_process_had_forked_does_not_hold_its_folder(tmp_path: Path) -> None:
    with running(FORKED, tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "forked\n"
        process.kill()
        process.wait()
        StateFolder(tmp_path, "Bot").close()


def test_a_system_without_locks_is_told_what_to_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(ConfigError, match="on Windows use WSL"):
        StateFolder(tmp_path, "Bot@localhost-8080")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_private_and_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with StateFolder(tmp_path / "a" / "b", "Bot") as folder:
            assert folder.path == tmp_path / "a" / "b" / "Bot"
            assert folder.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, Path("/x/strategy-runtime")),
        (
            {"XDG_STATE_HOME": "not/absolute", "HOME": "/h"},
            Path("/h/.local/state/strategy-runtime"),
        ),
        ({"HOME": "/h"}, Path("/h/.local/state/strategy-runtime")),
        ({"HOME": ""}, None),
        ({}, None),
    ],
)
def test_where_state_lies(environ: dict[str, str], place: Path | None) -> None:
    assert default_place(environ) == place
