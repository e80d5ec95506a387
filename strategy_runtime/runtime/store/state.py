"""The state of a strategy in a file: restored before a run, saved after each change.

The file is plain JSON, so that people can read and repair it. It is replaced atomically, so after a
crash it has the state that was saved last.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from strategy_runtime.errors import DataError, Verb, reason_of
from strategy_runtime.runtime.observer import Note, RequestOutcome
from strategy_runtime.runtime.store.atomic import replace_file
from strategy_runtime.strategy import Strategy
from strategy_runtime.strategy.desk import Mode
from strategy_runtime.strategy.state import NAME, state_type_of

__all__ = ["StateKeeper", "state_keeper"]

_FILE = "state.json"

_log = logging.getLogger("strategy_runtime")


def state_keeper(strategy: Strategy, folder: Path) -> "StateKeeper | None":
    """Return the keeper of a strategy's state; None if the strategy declares none.

    Raises:
        DataError: As for `StateKeeper`.
    """
    kind = state_type_of(type(strategy))
    return None if kind is None else StateKeeper(strategy, kind, folder)


class StateKeeper:
    """Restores the state of a strategy on creation, and saves it as an observer of the run.

    A failure to save is logged as an error, once. The run continues, the file is unchanged, and the
    next event tries again.

    Args:
        kind: Class of the state.
        folder: Nobody else may write there, see `StateFolder`.

    Attributes:
        path: Path of the file.

    Raises:
        DataError: The file cannot be read, or does not fit the state; it is left unchanged.
    """

    def __init__(self, strategy: Strategy, kind: type[Struct], folder: Path) -> None:
        self.path = folder / _FILE
        self._strategy = strategy
        self._name = type(strategy).__name__
        self._kind = kind
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode
        self._saved = b""
        self._trouble = ""
        if self.path.exists():
            state = self._read()
            setattr(strategy, NAME, state)
            self._saved = self._encode(state)
            _log.info("the state of %s is restored from %s", self._name, self.path)
        else:
            _log.info("the state of %s begins anew; it is kept in %s", self._name, self.path)

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """Save the state after every event, if it has changed."""
        return lambda event, began, ended: self.save()

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""

    def request_settled(self, verb: Verb, outcome: RequestOutcome, seconds: float) -> None:
        """A request was answered."""

    def save(self) -> None:
        """Save the state if it has changed."""
        try:
            text = self._encode(getattr(self._strategy, NAME, None))
            if text == self._saved:
                return
            self._decode(text)  # checks types, which assignments to fields do not
            os.close(replace_file(self.path, msgspec.json.format(text) + b"\n"))
        except OSError as error:
            self._complain(f"{self.path} cannot be written: {reason_of(error)}")
        except (
            msgspec.MsgspecError,
            TypeError,
            ValueError,
            OverflowError,
            RecursionError,
        ) as error:
            self._complain(f"it does not fit {self._kind.__name__}: {error}")
        else:
            self._saved = text
            if self._trouble:
                _log.warning("the state of %s is saved again", self._name)
            self._trouble = ""

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            _log.error(
                "the state of %s is not saved, %s; the run goes on, and the file keeps what it had",
                self._name,
                trouble,
            )
        self._trouble = trouble

    def _read(self) -> Struct:
        try:
            text = self.path.read_bytes()
            state: Struct = self._decode(text)
            found = msgspec.json.decode(text)
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {reason_of(error)}") from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise DataError(self._misfit(str(error))) from None
        for place in _dropped(found, msgspec.json.decode(self._encode(state)), "$"):
            raise DataError(self._misfit(f"it has no field for `{place}`"))
        return state

    def _misfit(self, what: str) -> str:
        return (
            f"{self.path} does not fit {self._kind.__name__}, the state of {self._name}: {what}; "
            "correct one of the two, or move the file away to begin anew"
        )


def _dropped(found: Any, kept: Any, place: str) -> Iterator[str]:
    """Yield the fields of a file that would be lost if it were saved again."""
    if isinstance(found, dict) and isinstance(kept, dict):
        for name, value in found.items():
            if name in kept:
                yield from _dropped(value, kept[name], f"{place}.{name}")
            else:
                yield f"{place}.{name}"
    elif isinstance(found, list) and isinstance(kept, list):
        for number, pair in enumerate(zip(found, kept, strict=False)):
            yield from _dropped(*pair, f"{place}[{number}]")
