"""Things measured in turns, each in a process of its own; medians of what they say."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

__all__ = [
    "ROOT",
    "Sample",
    "child",
    "in_slices",
    "in_turns",
    "medians",
    "run",
    "spent",
    "stay_on_one_core",
]

ROOT = Path(__file__).resolve().parent.parent

_DEADLINE_S = 300
_SLICE_S = 0.05
_SMALL = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"

Sample = dict[str, Any]
"""What one run of one thing says: numbers by name."""


def run(*command: object, cwd: Path = ROOT) -> str:
    """Run a command to its end; gives back what it said on stdout.

    Raises:
        RuntimeError: It failed, or did not come to its end.
    """
    text = " ".join(map(str, command))
    process = _started(command, cwd)
    try:
        said, complained = process.communicate(timeout=_DEADLINE_S)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{text} had not ended after {_DEADLINE_S} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode:
        raise RuntimeError(f"{text} failed:\n{complained[-2000:]}")
    return said


def _started(command: Sequence[object], cwd: Path = ROOT) -> "subprocess.Popen[str]":
    """Start a command in a group of its own, all of whose sets have the same order in every run."""
    return subprocess.Popen(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def in_slices(modules: Mapping[str, Sequence[object]]) -> dict[str, Sample]:
    """Run modules of ours all at once, each for a moment while the others stand still.

    What the machine does besides meets all of them alike, however short it is: what differs by a
    tenth between two runs, one after the other, differs by a few hundredths here.

    Args:
        modules: Name of the module and its arguments; its last line on stdout is the sample.

    Raises:
        RuntimeError: One of them failed.
    """
    processes: dict[str, subprocess.Popen[str]] = {}
    try:
        for name, command in modules.items():
            processes[name] = _started((sys.executable, "-m", *command))
            os.killpg(processes[name].pid, signal.SIGSTOP)
        running = dict(processes)
        while running:
            for name, process in tuple(running.items()):
                os.killpg(process.pid, signal.SIGCONT)
                try:
                    process.wait(_SLICE_S)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGSTOP)
                else:
                    del running[name]
        found: dict[str, Sample] = {}
        for name, process in processes.items():
            said, complained = process.communicate()
            if process.returncode:
                raise RuntimeError(f"{name} failed:\n{complained[-2000:]}")
            found[name] = json.loads(said.splitlines()[-1])
    finally:
        for process in processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return found


def stay_on_one_core() -> None:
    """Have this process and those it starts share a core, as far as the system allows it.

    Where two take turns that is all they need, and what it takes to wake the other one depends on
    whether the system has put both on one: up to twice what is to be measured.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def child(*arguments: object, python: str | Path = sys.executable, cwd: Path = ROOT) -> Sample:
    """Run a module of ours in a fresh interpreter; its last line on stdout is the sample.

    What a process inherits counts towards its peak of memory; hence the small one in between.
    """
    said = run(sys.executable, "-c", _SMALL, python, "-m", *arguments, cwd=cwd)
    sample: Sample = json.loads(said.splitlines()[-1])
    return sample


def spent(*command: object, cwd: Path = ROOT) -> Sample:
    """CPU, wall time and peak memory of a whole process."""
    sample: Sample = json.loads(run(sys.executable, "-m", "benchmarks.spawn", *command, cwd=cwd))
    return sample


def in_turns(
    things: Mapping[str, Callable[[], Sample]], repeats: int | Mapping[str, int]
) -> dict[str, list[Sample]]:
    """Measure A B C, A B C, …, so that a slow moment of the machine meets all alike."""
    often = dict.fromkeys(things, repeats) if isinstance(repeats, int) else repeats
    found: dict[str, list[Sample]] = {name: [] for name in things}
    for turn in range(max(often.values(), default=0)):
        for name, measure in things.items():
            if turn < often[name]:
                found[name].append(measure())
    return {name: samples for name, samples in found.items() if samples}


def medians(samples: Sequence[Sample]) -> Sample:
    """The median of every number; of anything else the first."""
    return {
        name: median(sample[name] for sample in samples)
        if isinstance(value, int | float)
        else value
        for name, value in samples[0].items()
    }
