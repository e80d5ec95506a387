"""How hypothesis draws: the same examples in every run, unless asked for more.

`HYPOTHESIS_PROFILE=ci` tries the properties of the exchange on thousands of examples.
`HYPOTHESIS_PROFILE=thorough pytest -m ''` draws many more of all, different ones each time.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.figures import FIGURES, Tell

# How long an example takes says more about the machine than about the code.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("steady", patient, derandomize=True)
settings.register_profile("ci", patient, derandomize=True)
settings.register_profile("thorough", patient, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of the chaos to try."""
    group = parser.getgroup("chaos")
    group.addoption("--chaos-seeds", type=int, default=60, help="runs through bad weather")
    group.addoption("--chaos-seed", type=int, help="only this one")


@pytest.fixture
def tell(pytestconfig: pytest.Config) -> Tell:
    """Notes a figure to be printed at the end of the session."""
    return pytestconfig.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the figures that were noted."""
    figures = config.stash.get(FIGURES, [])
    if figures:
        terminalreporter.section("figures")
        for figure in figures:
            terminalreporter.write_line(figure)
