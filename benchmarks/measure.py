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

__all__ = ["ROOT", "Sample", "child", "in_turns", "medians", "run", "spent"]

ROOT = Path(__file__).resolve().parent.parent

_DEADLINE_S = 300
_SMALL = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"

Sample = dict[str, Any]
"""What one run of one thing says: numbers by name."""


def run(*command: object, cwd: Path = ROOT) -> str:
    """Run a command to its end; gives back what it said on stdout.

    Raises:
        RuntimeError: It failed, or did not come to its end.
    """
    text = " ".join(map(str, command))
    process = subprocess.Popen(
        list(map(str, command)),
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
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
