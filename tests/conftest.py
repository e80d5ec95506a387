"""Settings of hypothesis: the same examples in every run by default.

`HYPOTHESIS_PROFILE=ci` tries the properties of the exchange on thousands of examples.
`HYPOTHESIS_PROFILE=thorough pytest -m '' --timeout 0` draws many more of all, different ones each
time.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.figures import FIGURE, Tell

# The time of an example depends more on the machine than on the code.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("steady", patient, derandomize=True)
settings.register_profile("ci", patient, derandomize=True)
settings.register_profile("thorough", patient, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option for the number of chaos trials."""
    group = parser.getgroup("chaos")
    group.addoption("--chaos-seeds", type=int, default=30, help="runs through bad weather")
    group.addoption("--chaos-seed", type=int, help="only this one")
    group.addoption("--intents", type=int, default=500, help="orders among faulty requests")
    group.addoption("--signal-points", type=int, default=5, help="moments to end a process at")


@pytest.fixture(autouse=True, scope="session")
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep live runs, including those in other processes, from writing to the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Record a figure to print at the end of the session."""
    noted: list[tuple[str, object]] = request.node.user_properties
    return lambda figure: noted.append((FIGURE, figure))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures recorded by all processes."""
    figures = [
        figure
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, figure in report.user_properties
        if name == FIGURE
    ]
    if figures:
        terminalreporter.section("figures")
        for figure in figures:
            terminalreporter.write_line(str(figure))
