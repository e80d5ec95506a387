"""Logging, set up by the commands and by nothing else: to stderr, for a person or as JSON.

Lines of structlog and of the standard library come out alike. A command that may log nothing at
all sets structlog up only when the strategy asks for its logger.
"""

import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from strategy_runtime.strategy.log import when_first_used

if TYPE_CHECKING:
    from structlog.typing import Processor

__all__ = ["set_up", "set_up_lazily"]

_PLAIN = "%(levelname)s %(message)s"


def set_up(level: str = "info", form: str = "auto") -> None:
    """Set up both kinds of logging now.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        form: `console`, `json`, or `auto`: console on a terminal, else JSON.
    """
    import structlog

    number = logging.getLevelNamesMapping()[level.upper()]
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _json_processors() if as_json else _console_processors()
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)


def set_up_lazily(level: str = "info", form: str = "auto") -> None:
    """Set up the standard library's logging plainly, and the rest when a strategy logs."""
    if form == "json":
        set_up(level, form)
        return
    logging.basicConfig(level=level.upper(), format=_PLAIN, stream=sys.stderr, force=True)
    when_first_used(lambda: set_up(level, "console" if form == "auto" else form))


def wants_color() -> bool:
    """Whether escapes may be written to stderr: NO_COLOR, then FORCE_COLOR, then the terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (
        sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    )


def _console_processors() -> "list[Processor]":
    import structlog

    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=wants_color(), exception_formatter=plain)]


def _json_processors() -> "list[Processor]":
    import structlog

    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_to_json),
    ]


def _to_json(document: Any, default: Callable[[Any], Any] = str, **_: Any) -> str:
    import msgspec

    return msgspec.json.encode(document, enc_hook=default).decode()
