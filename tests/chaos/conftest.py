"""Figures of the chaos suite, printed where they can be read: after the tests."""

from collections.abc import Callable

import pytest

FIGURES = pytest.StashKey[list[str]]()

Tell = Callable[[str], None]


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Notes a figure to be printed at the end of the session."""
    return pytestconfig.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was noted."""
    figures = config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.section("chaos")
        for figure in figures:
            terminalreporter.write_line(figure)
