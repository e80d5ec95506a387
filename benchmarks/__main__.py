"""`python -m benchmarks`: measure, print the tables, and save them if asked to."""

import argparse
import platform
import sys
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from subprocess import SubprocessError

import msgspec
from msgspec.structs import replace

from benchmarks.scale import FULL, SHORT, Scale
from benchmarks.tables import Table, markdown

FIGURES = (
    "in_process",
    "whole",
    "loopback",
    "scaling",
    "features",
    "loading",
    "stream",
    "startup",
)
_LIBRARIES = ("strategy-runtime", "msgspec", "aiohttp", "uvloop", "pyarrow")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="less than a minute, without peers")
    parser.add_argument("--only", choices=FIGURES, action="append", help="this figure; repeatable")
    parser.add_argument("--no-peers", action="store_true", help="leave out other engines")
    parser.add_argument("--out", type=Path, help="folder for results.md and results.json")
    given = parser.parse_args()
    scale = SHORT if given.short else FULL
    if given.no_peers:
        scale = replace(scale, peer_repeats=0)
    tables: list[Table] = []
    head = _machine()
    print(head)
    with tempfile.TemporaryDirectory() as folder:
        for name in given.only or FIGURES:
            print(f"measuring {name} ...", file=sys.stderr)
            for table in _measured(name, replace(scale, market=Path(folder))):
                print(markdown(table), flush=True)
                tables.append(table)
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        text = "\n".join([head, *map(markdown, tables)])
        (given.out / "results.md").write_text(text, encoding="utf-8")
        (given.out / "results.json").write_bytes(
            msgspec.json.format(msgspec.json.encode({"machine": head, "tables": tables}), indent=1)
        )


def _measured(name: str, scale: Scale) -> list[Table]:
    try:
        found: list[Table] = import_module(f"benchmarks.figures.{name}").measure(scale)
    except (RuntimeError, OSError, SubprocessError) as error:  # the other figures are still of use
        return [Table(title=name, rows=[], note=f"This could not be measured: {error}")]
    return found


def _machine() -> str:
    libraries = []
    for name in _LIBRARIES:
        try:
            libraries.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    when = datetime.now(UTC)
    return (
        f"{when:%Y-%m-%d}, Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}; {', '.join(libraries)}. Medians of runs in turns.\n"
    )


main()
