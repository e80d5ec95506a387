"""Start threads, with a clear error if the system allows no more."""

from threading import Thread

from strategy_runtime.errors import ConfigError

__all__ = ["start"]


def start(thread: Thread) -> None:
    """Start a thread of ours.

    Raises:
        ConfigError: The user or the container is at its limit.
    """
    try:
        thread.start()
    except RuntimeError as error:
        raise ConfigError(
            f"the thread {thread.name!r} cannot be started: {error}; allow more of them, with "
            "ulimit -u or in the container's limits"
        ) from None
