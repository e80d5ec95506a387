"""The logger a strategy sees, made when it is first asked for.

structlog is imported only then: a backtest that logs nothing does not pay for it.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

__all__ = ["logger_of", "when_first_used"]

_preparations: list[Callable[[], None]] = []


def when_first_used(prepare: Callable[[], None]) -> None:
    """Have `prepare` called before the first logger is made; for the commands' log settings."""
    _preparations.append(prepare)


@cache
def logger_of(strategy: str) -> "FilteringBoundLogger":
    """The logger of a strategy, bound to its name."""
    import structlog

    while _preparations:
        _preparations.pop()()
    logger: FilteringBoundLogger = structlog.get_logger(strategy=strategy)
    return logger
