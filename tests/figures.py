"""Figures that tests come by, printed where they can be read: after the tests."""

from collections.abc import Callable

import pytest

__all__ = ["FIGURES", "Tell"]

FIGURES = pytest.StashKey[list[str]]()

Tell = Callable[[str], None]
