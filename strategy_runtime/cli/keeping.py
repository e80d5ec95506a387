"""What a run keeps on the disk: a recording where one is wanted, and live a journal of orders, the
strategy's state and the day's start.
"""

import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from strategy_runtime.errors import ConfigError, reason_of
from strategy_runtime.hosts import is_loopback
from strategy_runtime.proxy.recording import Recording
from strategy_runtime.runtime.risk.daily_loss import Days
from strategy_runtime.runtime.settings import Settings
from strategy_runtime.runtime.store import (
    DayFile,
    Journal,
    StateFolder,
    StateKeeper,
    default_place,
    has_kept,
    state_keeper,
)
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.state import kind_of_state

__all__ = ["Kept", "keep", "record"]

_PORTS = {"http": 80, "https": 443}
_VERSION = "/v1"  # is tried in any case

_log = logging.getLogger("strategy_runtime")


class Kept(NamedTuple):
    """What is kept; None of what there is no place for, or no state."""

    journal: Journal | None = None
    state: StateKeeper | None = None
    days: Days | None = None


def keep(strategy: Strategy, settings: Settings, until: ExitStack) -> Kept:
    """Open the strategy's own folder and what is in it, to be held until a stack is closed.

    Its state is restored, and saved once more in the end.

    Raises:
        ConfigError: The folder that was asked for, or that earlier runs have used, cannot be used,
            or another process has it.
        DataError: What lies there is not what this version, or the strategy, can read.
    """
    wanted = settings.state_dir
    place = Path(wanted) if wanted else default_place(os.environ)
    if wanted == "none" or place is None:
        if not wanted:
            _log.warning("no home folder: %s; see --state-dir", _nothing_kept(strategy))
        return Kept()
    name = f"{type(strategy).__name__}@{_proxy_of(settings.rest_url)}"
    try:
        folder = until.enter_context(StateFolder(place, name))
        journal = Journal(folder.path)
    except OSError as error:
        if wanted:
            raise ConfigError(
                f"{settings.origins['state_dir']}: {place} cannot be used: {reason_of(error)}"
            ) from None
        if has_kept(place / name):
            raise ConfigError(
                f"{place / name} cannot be used: {reason_of(error)}; the journal and the state of "
                "earlier runs are there, and to go on without would be to begin anew: make it "
                "usable, or give another --state-dir, such as none, which keeps nothing"
            ) from None
        _log.warning(
            "%s cannot be used (%s): %s; see --state-dir",
            place,
            reason_of(error),
            _nothing_kept(strategy),
        )
        return Kept()
    until.callback(journal.close)
    _log.info("the journal of orders is %s", journal.path)
    state = state_keeper(strategy, folder.path)
    if state is not None:
        until.callback(state.save)
    return Kept(journal, state, DayFile(folder.path))


def record(settings: Settings, until: ExitStack) -> Recording | None:
    """Open the recording that is wanted, to be closed with a stack.

    Raises:
        ConfigError: It cannot be written.
    """
    if settings.record is None:
        return None
    try:
        recording = Recording(Path(settings.record))
    except OSError as error:
        raise ConfigError(
            f"{settings.origins['record']}: {settings.record} cannot be written: {reason_of(error)}"
        ) from None
    until.callback(recording.close)
    return recording


def _proxy_of(url: str) -> str:
    """One name for a proxy, whichever of its names on this machine it was given.

    Several may be behind one port, each with a path of its own.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = "localhost" if is_loopback(host) else host
    path = [each for each in parts.path.rstrip("/").removesuffix(_VERSION).split("/") if each]
    return "-".join((host, str(parts.port or _PORTS[parts.scheme]), *path))


def _nothing_kept(strategy: Strategy) -> str:
    has_state = kind_of_state(type(strategy)) is not None
    return "no journal of orders is kept" + (", and no state" if has_state else "")
