"""Output of results at the end of a run."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strategy_runtime.cli.errors import note
from strategy_runtime.cli.options import ResultOptions
from strategy_runtime.cli.redaction import safe
from strategy_runtime.errors import DataError

if TYPE_CHECKING:
    from strategy_runtime.report.results import Results

__all__ = ["RESULTS", "Destinations", "command_beside"]

RESULTS = Path("results")
"""The default folder of results."""


class Destinations:
    """Where the results of a run go.

    By default they are written to `results/<name>`, so that a run always leaves a report. With
    `--out`, `--fills` or `--json`, only what these ask for is written. By default, an unfinished
    run does not overwrite the results of a finished one.

    Args:
        open_page: Write the report in any case, and open it in a browser if there is one.
    """

    def __init__(self, asked: ResultOptions, name: str, *, open_page: bool = False) -> None:
        out, self._fills_file, self._as_json = asked
        self._asked = out is not None or self._fills_file is not None or self._as_json
        self._out = RESULTS / name if out is None and (open_page or not self._asked) else out
        self._open_page = open_page

    def check(self) -> None:
        """Check, before the run, that the requested files can be written.

        Raises:
            DataError: One cannot.
        """
        from strategy_runtime.report.files import ensure_writable, files_in

        wanted = [] if self._fills_file is None else [self._fills_file]
        if self._asked and self._out is not None:
            wanted += files_in(self._out)
        for path in wanted:
            ensure_writable(path)

    def deliver(self, results: "Results", *, table_on_stderr: bool = False) -> None:
        """Print and write the results.

        Raises:
            DataError: A requested file cannot be written.
        """
        from strategy_runtime.report.files import PAGE

        on_stderr = table_on_stderr or self._as_json
        if not self._as_json:
            click.echo(safe(str(results)), err=table_on_stderr, nl=False)
        try:
            written = self._write(results)
        except DataError as error:
            if self._asked:
                raise
            note(f"The results could not be kept: {error}")
        else:
            if written:
                click.echo(f"\nWritten: {' '.join(map(str, written))}", err=on_stderr)
            for page in (path for path in written if path.name == PAGE):
                address = page.resolve().as_uri()
                click.echo(f"Report: {address}", err=on_stderr)
                if self._open_page and not _opened(address):
                    note("There is no browser to open it with.")
        if self._as_json:
            click.echo(results.summary.to_json().encode(), nl=False)

    def _write(self, results: "Results") -> list[Path]:
        from strategy_runtime.report.csv_tables import fills_csv
        from strategy_runtime.report.files import write_atomically, write_results

        written = []
        if self._out is not None and (self._asked or results.summary.complete):
            written += write_results(self._out, results)
        if self._fills_file is not None:
            write_atomically(self._fills_file, fills_csv(results.outcome.fills))
            written.append(self._fills_file)
        return written


def _opened(address: str) -> bool:
    import webbrowser

    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False


def command_beside(command: str) -> str:
    """Return how to type another of our commands: with the path of this one, if it needs one."""
    ours = Path(sys.argv[0])
    if not ours.name.startswith("strategy-"):
        return command
    found = shutil.which(command)
    if found is not None and Path(found).resolve().parent == ours.resolve().parent:
        return command
    path = os.path.relpath(ours.with_name(command)) if ours.is_absolute() else None
    if path is None or path.startswith(os.pardir):
        return str(ours.with_name(command))
    return path
