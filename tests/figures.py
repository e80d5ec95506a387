"""Figures measured by tests, for printing after the test session."""

from collections.abc import Callable

__all__ = ["FIGURE", "Tell"]

FIGURE = "figure"
"""What a figure is called among the properties of its test."""

Tell = Callable[[str], None]
