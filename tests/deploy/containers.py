"""Building images and running containers without an engine, with buildah and kernel tools.

A container here is a process in namespaces of its own: process 1 of its tree, with the user and
folder of the image, the image's files read-only, and only `/tmp` to write to. Containers of one
`Network` reach each other on loopback, and nothing else reaches them.
"""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENVIRONMENT = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

_ENTER = """
set -e
root=$1; user=$2; folder=$3; shift 3
echo 127.0.0.1 localhost >"$root/etc/hosts"
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec="$user" "$root" /usr/bin/env -i -C "$folder" "$@"
"""


def buildah(*arguments: object) -> str:
    done = subprocess.run(
        ["buildah", *map(str, arguments)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def build(folder: Path, name: str, **arguments: str) -> None:
    """Do `docker build -t NAME FOLDER` without a network."""
    given = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    # Docker's own format, because OCI's has no health check.
    buildah("bud", "-q", "--format=docker", "--pull-never", *given, "-t", name, folder)


def config_of(image: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", image))["Docker"]
    config: dict[str, Any] = found["config"]
    return config


class Image:
    """An image, unpacked so that containers of it can run.

    Attributes:
        config: Configuration of the image, with Docker's names: `User`, `Env`, `Entrypoint`, …
    """

    def __init__(self, name: str, root: str) -> None:
        self.config = config_of(name)
        self.root = root

    def command(
        self,
        *arguments: object,
        entrypoint: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> list[str]:
        """Return the command line of a container; without arguments, the image's own command."""
        program = self.config["Entrypoint"] if entrypoint is None else entrypoint
        variables = [*self.config["Env"], *(f"{k}={v}" for k, v in (env or {}).items())]
        given = list(map(str, arguments)) or self.config["Cmd"]
        enter = ["sh", "-c", _ENTER, "enter", self.root, self.config["User"]]
        return [
            *("unshare", "--mount", "--pid", "--fork"),
            *(*enter, self.config["WorkingDir"], *variables, *program, *given),
        ]

    def run(self, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a container to its end, on the machine's network."""
        return finished(self.command(*arguments, **options))


@contextmanager
def unpacked(name: str) -> Iterator[Image]:
    container = buildah("from", "--pull-never", name)
    try:
        yield Image(name, buildah("mount", container))
    finally:
        buildah("rm", container)


class Network:
    """A loopback network that containers share."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 600"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._enter = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]
        self._containers: list[subprocess.Popen[str]] = []

    def __enter__(self) -> "Network":
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._containers:
            if process.poll() is None:
                send(signal.SIGKILL, process)
            process.communicate()
        self._holder.kill()
        self._holder.communicate()

    def run(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        return finished([*self._enter, *command])

    def start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a container; it ends with the network at the latest."""
        process = subprocess.Popen(
            [*self._enter, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._containers.append(process)
        return process


def finished(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a container to its end, or kill it."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            out, err = process.communicate(timeout=50)
        except subprocess.TimeoutExpired:
            send(signal.SIGKILL, process)
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def send(number: int, process: "subprocess.Popen[str]") -> None:
    """Send a signal to process 1 of a container."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1, process.args
    os.kill(int(children[0]), number)
