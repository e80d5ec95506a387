"""Files that a run keeps on disk: a recording, if wanted, and in a live run the journal of orders,
the strategy's state, and the equity at the start of the day.
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
from strategy_runtime.strategy.state import state_type_of

__all__ = ["Storage", "folder_of", "open_recording", "open_storage"]

_PORTS = {"http": 80, "https": 443}
_VERSION = "/v1"  # tried even if the URL does not have it

_log = logging.getLogger("strategy_runtime")


class Storage(NamedTuple):
    """The files of a live run; None if there is no folder for them, or no state to save."""

    journal: Journal | None = None
    state: StateKeeper | None = None
    days: Days | None = None


def folder_of(strategy: Strategy, settings: Settings) -> Path | None:
    """Return where a live run keeps its files; None if it keeps nothing, or there is no home."""
    wanted = settings.state_dir
    place = Path(wanted) if wanted else default_place(os.environ)
    if wanted == "none" or place is None:
        return None
    return place / f"{type(strategy).__name__}@{_proxy_of(settings.rest_url)}"


def open_storage(strategy: Strategy, settings: Settings, until: ExitStack) -> Storage:
    """Open the strategy's folder and its files until a stack is closed.

    The state is restored, and saved once more at the end.

    Raises:
        ConfigError: A folder that was asked for, or that earlier runs have used, cannot be used, or
            another process holds it.
        DataError: This version, or the strategy, cannot read the files.
    """
    wanted, path = settings.state_dir, folder_of(strategy, settings)
    if path is None:
        if not wanted:
            _log.warning("no home folder: %s; see --state-dir", _nothing_kept(strategy))
        return Storage()
    place = path.parent
    try:
        folder = until.enter_context(StateFolder(place, path.name))
        journal = Journal(folder.path)
    except OSError as error:
        if wanted:
            raise ConfigError(
                f"{settings.origins['state_dir']}: {place} cannot be used: {reason_of(error)}"
            ) from None
        if has_kept(path):
            raise ConfigError(
                f"{path} cannot be used: {reason_of(error)}; it has the journal and the "
                "state of earlier runs, which this run must not ignore: make it usable, or give "
                "another --state-dir, such as none, which keeps nothing"
            ) from None
        _log.warning(
            "%s cannot be used (%s): %s; see --state-dir",
            place,
            reason_of(error),
            _nothing_kept(strategy),
        )
        return Storage()
    until.callback(journal.close)
    _log.info("the journal of orders is %s", journal.path)
    state = state_keeper(strategy, folder.path)
    if state is not None:
        until.callback(state.save)
    return Storage(journal, state, DayFile(folder.path))


def open_recording(settings: Settings, until: ExitStack) -> Recording | None:
    """Open the recording, if one is wanted, until a stack is closed.

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
    """Return a name for a proxy, the same for every loopback address.

    The path is part of it, because several proxies may share a port.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = "localhost" if is_loopback(host) else host
    path = [each for each in parts.path.rstrip("/").removesuffix(_VERSION).split("/") if each]
    return "-".join((host, str(parts.port or _PORTS[parts.scheme]), *path))


def _nothing_kept(strategy: Strategy) -> str:
    has_state = state_type_of(type(strategy)) is not None
    return "no journal of orders is kept" + (", and no state" if has_state else "")
