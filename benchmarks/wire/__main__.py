"""`-m benchmarks.wire WHO LOOP MODE BATCH COUNT`: run a client and the server, and print the
samples of both.

The arguments are those of `client` and `server`.
"""

import json
import subprocess
import sys

from benchmarks.measure import stay_on_one_core


def main(who: str, loop: str, mode: str, batch: str, count: str) -> None:
    if mode != "free":
        stay_on_one_core()
    server = _started("benchmarks.wire.server", mode, batch, count)
    try:
        if server.stdout is None:
            raise RuntimeError("the server has no stdout")
        ports = map(str, json.loads(server.stdout.readline()))
        client = _started("benchmarks.wire.client", who, loop, mode, batch, *ports)
        samples = [_last_of(each) for each in (client, server)]
    finally:
        server.kill()
        server.wait()
    print(json.dumps({name: value for sample in samples for name, value in sample.items()}))


def _started(*command: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True)


def _last_of(process: "subprocess.Popen[str]") -> dict[str, float]:
    said, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{process.args!r} exited with {process.returncode}")
    sample: dict[str, float] = json.loads(said.splitlines()[-1])
    return sample


main(*sys.argv[1:])
