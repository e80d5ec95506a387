"""A run of `strategy-proxy` and `strategy-run` over loopback, one acknowledgement per bar.

`python -m benchmarks.whole.over_sockets CSV FILLS [OPTION …]` prints what both used; the options
are those of `strategy-run`. With `--counted` before them, it also prints how many instructions the
runner executed in user space, as counted by valgrind.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

from benchmarks.engines import CASH
from benchmarks.measure import stay_on_one_core

_RUN = """
import sys
sys.modules["rich"] = None
from strategy_runtime.cli.run import main
main()
"""
"""structlog imports rich if it is installed, and the tools of the tests install it here."""


_COUNTING = (
    "env PYTHONHASHSEED=0 valgrind --tool=callgrind --callgrind-out-file=/dev/null"
).split()
"""Without a fixed hash seed, the layout of dictionaries changes the count by a hundredth."""
_COUNT = re.compile(r"Collected : (\d+)")
_DEADLINE_S = 300
_children: "list[subprocess.Popen[str]]" = []


def main(path: str, fills: str, *options: str) -> None:
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(_DEADLINE_S)
    if "live" not in options:
        stay_on_one_core()
    command = [sys.executable, "-m", "strategy_runtime.cli.proxy", "--data", path]
    command += ["--cash", str(CASH), "--fills", fills, "--json"]
    command += ["--ws-port", "0", "--rest-port", "0", "--linger", "0"]
    server = _started(command, stdout=subprocess.PIPE)
    assert server.stdout is not None
    urls = json.loads(server.stdout.readline())
    began = time.perf_counter()
    is_counted = options[:1] == ("--counted",)
    options = options[is_counted:]
    command = _COUNTING[:] if is_counted else []
    command += [sys.executable, "-c", _RUN, "benchmarks.strategies:SmaCross", *options]
    command += ["--ws-url", urls["ws_url"], "--rest-url", urls["rest_url"], "--log-level", "error"]
    errors = subprocess.PIPE if is_counted else None
    runner = _started(command, stdout=subprocess.DEVNULL, stderr=errors)
    result = json.loads(server.stdout.read())
    exchange = _ended(server)
    if "live" in options:  # a live run does not end by itself
        os.kill(runner.pid, signal.SIGKILL)
    counted = {} if runner.stderr is None else _counted(runner.stderr.read())
    client, client_wall_s = _ended(runner), time.perf_counter() - began
    if server.returncode or (runner.returncode and "live" not in options):
        sys.exit(f"the proxy exited with {server.returncode}, the runner with {runner.returncode}")
    print(
        json.dumps(
            {
                "bars": result["bars"],
                "wall_s": result["wall_s"],
                "cpu_s": _cpu(client) + _cpu(exchange),
                "client_cpu_s": _cpu(client),
                "client_wall_s": client_wall_s,
                "client_rss_mb": client.ru_maxrss / 1024,
                **counted,
            }
        )
    )


def _counted(said: str) -> dict[str, int]:
    found = _COUNT.search(said)
    if found is None:
        sys.exit(f"valgrind counted nothing:\n{said[-2000:]}")
    return {"instructions": int(found[1])}


def _started(command: list[str], stdout: int, stderr: int | None = None) -> "subprocess.Popen[str]":
    process = subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True)
    _children.append(process)
    return process


def _give_up(number: int, frame: object) -> None:
    for process in _children:
        process.kill()
    sys.exit(f"the run had not ended after {_DEADLINE_S} s")


def _ended(process: "subprocess.Popen[str]") -> Any:
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used


def _cpu(used: Any) -> float:
    return float(used.ru_utime + used.ru_stime)


main(*sys.argv[1:])
