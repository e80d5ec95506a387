"""The logger of a strategy, made when it is first used.

structlog is imported only then, so a backtest that logs nothing does not pay for the import.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["logger_of", "when_first_used"]

_preparations: list[Callable[[], None]] = []


def when_first_used(prepare: Callable[[], None]) -> None:
    """Call `prepare` before the first logger is made; for the log settings of the commands."""
    _preparations.append(prepare)


@cache
def logger_of(strategy: str) -> "FilteringBoundLogger":
    """Return the logger bound to a strategy's name."""
    import structlog

    while _preparations:
        _preparations.pop()()
    logger: FilteringBoundLogger = structlog.get_logger(strategy=strategy)
    return logger
