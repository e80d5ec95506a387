"""Measurements in turns, each in a process of its own, and their medians."""

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
"""The result of one measurement: numbers by name."""


def run(*command: object, cwd: Path = ROOT) -> str:
    """Run a command to its end; return its stdout.

    Raises:
        RuntimeError: It failed, or did not end in time.
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
    """Start a command in a process group of its own, with a fixed hash seed."""
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
    """Run modules of ours in slices of time, each while the others are stopped.

    Other load on the machine then affects all of them alike, however short it is: figures that
    differ by a tenth between two runs in sequence differ by a few hundredths here.

    Args:
        modules: Module name and arguments; the last line of stdout is the sample.

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
    """Pin this process and its children to one core, if the system allows it.

    Two processes that take turns need no more, and waking the other one on another core can cost
    twice as much as what is measured.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def child(*arguments: object, python: str | Path = sys.executable, cwd: Path = ROOT) -> Sample:
    """Run a module of ours in a fresh interpreter; the last line of its stdout is the sample.

    Memory of the parent counts towards the peak of a process, so a small process starts it.
    """
    said = run(sys.executable, "-c", _SMALL, python, "-m", *arguments, cwd=cwd)
    sample: Sample = json.loads(said.splitlines()[-1])
    return sample


def spent(*command: object, cwd: Path = ROOT) -> Sample:
    """Return CPU time, wall time and peak memory of a whole process."""
    sample: Sample = json.loads(run(sys.executable, "-m", "benchmarks.spawn", *command, cwd=cwd))
    return sample


def in_turns(
    cases: Mapping[str, Callable[[], Sample]], repeats: int | Mapping[str, int]
) -> dict[str, list[Sample]]:
    """Measure A B C, A B C, …, so that slow moments of the machine affect all cases alike."""
    counts = dict.fromkeys(cases, repeats) if isinstance(repeats, int) else repeats
    found: dict[str, list[Sample]] = {name: [] for name in cases}
    for turn in range(max(counts.values(), default=0)):
        for name, measure in cases.items():
            if turn < counts[name]:
                found[name].append(measure())
    return {name: samples for name, samples in found.items() if samples}


def medians(samples: Sequence[Sample]) -> Sample:
    """Return the median of each number, and the first of anything else."""
    return {
        name: median(sample[name] for sample in samples)
        if isinstance(value, int | float)
        else value
        for name, value in samples[0].items()
    }
