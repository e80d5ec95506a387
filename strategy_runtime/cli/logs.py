"""Log configuration of the commands: to stderr, for people or as JSON.

Lines of structlog and of the standard library, and Python's warnings, look alike: they have the
strategy, the run and the current event, if there is one, but no secrets or control characters.
Commands that may not log anything configure structlog only when the strategy asks for its logger.
"""

import logging
import os
import sys
from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from strategy_runtime.cli.redaction import hide_in_environment, indented, safe, safe_with_colours
from strategy_runtime.strategy.log import when_first_used

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

    from strategy_runtime.runtime.settings import Settings

__all__ = ["set_log_context", "set_up", "set_up_from", "set_up_lazily"]

_PLAIN = "%(levelname)s %(in_hand)s%(message)s"


def set_up(level: str = "info", form: str = "auto") -> None:
    """Configure structlog and the standard library's logging now.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        form: `console`, `json`, or `auto`: console on a terminal, else JSON.
    """
    import structlog

    number = logging.getLevelNamesMapping()[level.upper()]
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_event_in_hand,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _json_processors() if as_json else _console_processors()
    structlog.configure(
        processors=[_drop_if_silenced, *shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(allow=["event_id"]),
                *shared,
                structlog.stdlib.add_logger_name,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    logging.captureWarnings(True)


def set_up_lazily(level: str = "info", form: str = "auto") -> None:
    """Configure plain logging of the standard library, and the rest when a strategy logs."""
    if form == "json":
        set_up(level, form)
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_SafeFormatter(_PLAIN))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    when_first_used(lambda: set_up(level, "console" if form == "auto" else form))


def set_up_from(
    variables: Mapping[str, str],
    flags: Mapping[str, str | None] | None = None,
    others: Container[str] = (),
) -> "Settings":
    """Configure logging lazily by `LOG_LEVEL` and `LOG_FORMAT`, and hide the secrets among the
    variables; return the settings that were read.

    Args:
        flags: Settings of the command line.
        others: Names of further variables to read.

    Raises:
        ConfigError: A value is invalid.
    """
    from strategy_runtime.runtime.settings import read_environment, resolve

    hide_in_environment(variables)
    ours = (name for name in variables if name.startswith("LOG_") or name in others)
    settings = resolve(flags or {}, read_environment({name: variables[name] for name in ours}))
    set_up_lazily(settings.log_level, settings.log_format)
    return settings


def _drop_if_silenced(logger: Any, method: str, line: "EventDict") -> "EventDict":
    if not logging.root.isEnabledFor(logging.CRITICAL):
        import structlog

        raise structlog.DropEvent
    return line


def set_log_context(event_in_hand: Callable[[], dict[str, str]] | None) -> None:
    """Add the fields that a function returns, such as the current event, to every line.

    None stops that.
    """
    _contexts[:] = [event_in_hand] if event_in_hand is not None else []


_contexts: list[Callable[[], dict[str, str]]] = []


def _in_hand() -> dict[str, str]:
    return {name: text for each in _contexts for name, text in each().items()}


def _add_event_in_hand(logger: Any, method: str, line: "EventDict") -> "EventDict":
    for name, text in _in_hand().items():
        line.setdefault(name, text)
    if line.get("event_id", "") is None:  # the line is about another event, which has no id
        del line["event_id"]
    return line


class _SafeFormatter(logging.Formatter):
    """Formats plain lines, redacted and with the current event."""

    def format(self, record: logging.LogRecord) -> str:
        record.in_hand = "".join(f"{name}={text} " for name, text in _in_hand().items())
        return safe(indented(super().format(record)))


def wants_color() -> bool:
    """Whether to colour stderr: NO_COLOR decides, then FORCE_COLOR, then the terminal."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (
        sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    )


def _console_processors() -> "list[Processor]":
    import structlog

    render = structlog.dev.ConsoleRenderer(
        colors=wants_color(), exception_formatter=structlog.dev.plain_traceback
    )

    def rendered(logger: Any, method: str, line: "EventDict") -> str:
        return safe_with_colours(indented(str(render(logger, method, line))))

    return [rendered]


def _json_processors() -> "list[Processor]":
    import structlog

    render = structlog.processors.JSONRenderer(serializer=_to_json)

    def rendered(logger: Any, method: str, line: "EventDict") -> str:
        return safe(str(render(logger, method, line)))

    return [structlog.processors.format_exc_info, rendered]


def _to_json(document: Any, default: Callable[[Any], Any] = str, **_: Any) -> str:
    return msgspec.json.encode(document, enc_hook=default).decode()
