"""The map over several processes, some of which may end."""

import os
import re
import resource
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest

from strategy_runtime.backtesting.processes import map_in_processes
from strategy_runtime.errors import ConfigError


def test_a_slow_item_holds_up_only_one_process() -> None:
    others_done = get_context("fork").Event()

    def run(item: int) -> int:
        if item == 0:
            assert others_done.wait(20)
        elif item == 5:
            others_done.set()
        return item

    assert list(map_in_processes(range(6), run, 2)) == [0, 1, 2, 3, 4, 5]


def test_a_process_that_cannot_be_started_is_told() -> None:
    most, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = len([*Path("/proc/self/fd").iterdir()])
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + 20, highest))
    try:
        with pytest.raises(ConfigError) as caught:
            list(map_in_processes(range(100), str, 100))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, highest))
    assert re.fullmatch(
        r"process \d+ of 100 cannot be started: Too many open files; "
        r"use fewer with --processes N, or processes=N in Python",
        str(caught.value),
    )
    assert list(map_in_processes(range(4), str, 2)) == ["0", "1", "2", "3"]


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    def end(item: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(
        ConfigError, match=re.escape("use fewer with --processes N, or processes=N in Python")
    ):
        list(map_in_processes([1, 2], end, 2))


def test_a_process_that_ends_by_itself_is_not_said_to_want_memory() -> None:
    def end(item: int) -> None:
        os._exit(3)

    with pytest.raises(ConfigError, match=r"^a process ended \(3\); --processes 1, or "):
        list(map_in_processes([1, 2], end, 2))
