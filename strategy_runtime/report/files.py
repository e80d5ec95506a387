"""Writing results so that a reader never sees half of one."""

import os
from contextlib import suppress
from pathlib import Path

from strategy_runtime.errors import DataError
from strategy_runtime.ids import token
from strategy_runtime.report.fills import fills_csv, orders_csv
from strategy_runtime.report.results import Results

__all__ = ["PAGE", "write_atomically", "write_results"]

PAGE = "report.html"


def write_results(folder: Path, results: Results) -> list[Path]:
    """Write `result.json`, `fills.csv`, `orders.csv` and `report.html`; gives back where they are.

    Raises:
        DataError: The folder or a file in it cannot be written.
    """
    from strategy_runtime.report.page import render_page

    outcome = results.outcome
    texts = {
        "fills.csv": fills_csv(outcome.fills),
        "orders.csv": orders_csv(outcome.orders),
        "result.json": results.summary.to_json(),
        PAGE: render_page(results.summary, outcome, results.points, results.trips),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [folder / name for name in texts]


def write_atomically(path: Path, text: str) -> None:
    """Put a text in place of whatever a file holds: all of it or, on failure, nothing.

    A link is followed. What is no ordinary file (a pipe, a device) cannot be replaced and is
    written to.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8", newline="")
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from None


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{token()}")
    try:
        with beside.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        with suppress(OSError):
            beside.unlink()
