"""The state folder of one strategy at one proxy, locked against a second process."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from strategy_runtime.errors import ConfigError

__all__ = ["StateFolder", "default_place", "has_kept"]

_PRIVATE = 0o700
_LOCK = "lock"


def default_place(environ: Mapping[str, str]) -> Path | None:
    """Return the default folder for state on this machine; None if there is no home folder.

    `$XDG_STATE_HOME/strategy-runtime`, or `~/.local/state/strategy-runtime` (XDG Base Directory).
    """
    base = environ.get("XDG_STATE_HOME", "")
    if base and Path(base).is_absolute():
        return Path(base) / "strategy-runtime"
    home = environ.get("HOME", "")
    return Path(home) / ".local" / "state" / "strategy-runtime" if home else None


def has_kept(folder: Path) -> bool:
    """Whether earlier runs have left anything in a folder; True also if it cannot be read."""
    try:
        return any(each.name != _LOCK for each in folder.iterdir())
    except OSError:
        return os.access(folder, os.F_OK)


class StateFolder:
    """A folder that is locked until it is closed, or until the process ends in any way.

    Args:
        place: The folder that contains those of all strategies.
        name: Name of the folder: that of the strategy at its proxy.

    Attributes:
        path: Path of the folder.

    Raises:
        ConfigError: Another process has locked it, or this system cannot lock it.
        OSError: It cannot be created or written to.
    """

    def __init__(self, place: Path, name: str) -> None:
        try:
            import fcntl  # missing on Windows, where backtests still work
        except ImportError:
            raise ConfigError(
                "live runs lock the folder of their state, which needs Linux or macOS; on Windows "
                "use WSL"
            ) from None
        self.path = place / name
        self.path.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        lock = self.path / _LOCK
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._lock, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._lock)
            raise ConfigError(
                f"{name} is running already: process {holder} holds {lock}; stop it, or give this "
                "one another --state-dir if it trades another account; on the same account, run a "
                "subclass with another name, by which its orders are told apart"
            ) from None
        # A process forked by the strategy, such as one of a pool, may survive when this one is
        # killed, and would keep the lock.
        os.register_at_fork(after_in_child=self.close)
        os.ftruncate(self._lock, 0)
        os.write(self._lock, f"{os.getpid()}\n".encode())

    def close(self) -> None:
        """Release the lock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
