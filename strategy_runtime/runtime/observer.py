"""Observers of a run, such as metrics and traces.

Without one there is no overhead: handlers are only wrapped if there is an observer. It prepares
what it needs for a kind of event before the first of them.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from strategy_runtime.clock import stopwatch
from strategy_runtime.errors import Verb
from strategy_runtime.protocol.events import Event
from strategy_runtime.strategy.desk import Mode
from strategy_runtime.strategy.hooks import wants_awaiting

__all__ = ["Handler", "Note", "Observer", "Observers", "RequestOutcome", "observed"]

RequestOutcome = Literal["accepted", "refused", "unanswered"]
"""The outcome of a request."""

Handler = Callable[[Any], Awaitable[None] | None]
"""Handles an event; returns None, or an awaitable."""

Note = Callable[[Any, float, float], None]
"""Called with a delivered event and the monotonic seconds at which its handling started and ended.
Handling is the update of book and indicators, and the hook."""


class Observer(Protocol):
    """Notified of everything that happens, in the strategy's thread. It must be quick."""

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """Return the callback for events of a kind; called once, before the first of them.

        Args:
            hook: Name of the strategy's hook, or None if it has none for this kind.
        """
        ...

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""

    def request_settled(self, verb: Verb, outcome: RequestOutcome, seconds: float) -> None:
        """A request was answered.

        Args:
            seconds: Since it was sent.
        """


class Observers:
    """Several observers as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """Return a callback that calls those of all observers."""
        notes = [each.noting(kind, hook, mode) for each in self._observers]

        def note(event: Event, began: float, ended: float) -> None:
            for each in notes:
                each(event, began, ended)

        return note

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""
        for each in self._observers:
            each.hook_failed(hook)

    def request_settled(self, verb: Verb, outcome: RequestOutcome, seconds: float) -> None:
        """A request was answered."""
        for each in self._observers:
            each.request_settled(verb, outcome, seconds)


def observed(handler: Handler, note: Note) -> Handler:
    """Wrap a handler to report how long it took, including what it awaits, even if it raises."""

    monotonic = stopwatch()

    def handle(event: Event) -> Awaitable[None] | None:
        began = monotonic()
        try:
            result = handler(event)
        except BaseException:
            note(event, began, monotonic())
            raise
        if result is not None and wants_awaiting(result):
            return finish(result, event, began)
        note(event, began, monotonic())
        return None

    async def finish(result: Awaitable[None], event: Event, began: float) -> None:
        try:
            await result
        finally:
            note(event, began, monotonic())

    return handle
