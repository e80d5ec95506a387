"""A bundled strategy and real prices, so that a first backtest needs nothing else."""

from importlib.resources import files
from pathlib import Path

__all__ = ["PRICES"]

PRICES = Path(str(files(__name__).joinpath("prices.csv")))
"""Daily bars of two US stocks; `LICENSE-DATA.md` beside it says where they come from."""
