"""Figures that tests come by, printed where they can be read: after the tests."""

from collections.abc import Callable

__all__ = ["FIGURE", "Tell"]

FIGURE = "figure"
"""What a figure is called among the properties of its test."""

Tell = Callable[[str], None]
