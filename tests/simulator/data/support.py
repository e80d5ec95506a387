"""Helpers for tests of data files."""

from pathlib import Path

from strategy_runtime.simulator.data.load import LoadedData, load_bars
from strategy_runtime.simulator.data.series import BarSeries

MINUTE = 60 * 10**9
HEADER = "timestamp,open,high,low,close,volume\n"
ROWS = "2024-01-02T14:30:00Z,10,11,9,10.5,100\n2024-01-02T14:31:00Z,10.5,12,10,11,200\n"


def load(tmp_path: Path, text: str | bytes, name: str = "X.csv", **options: object) -> LoadedData:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_bars([path], **options)  # type: ignore[arg-type]


def only(data: LoadedData) -> BarSeries:
    (series,) = data.series
    return series
