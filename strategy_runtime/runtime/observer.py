"""Looking on: what a run tells those who watch it.

Nobody watches unless asked to, and then nothing is done for it: handlers are only wrapped where
there is an observer. What an observer has to find out about a kind of event it finds out before the
first of them.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol

from strategy_runtime.clock import stopwatch
from strategy_runtime.protocol.events import Event
from strategy_runtime.strategy.desk import Mode
from strategy_runtime.strategy.hooks import wants_awaiting
from strategy_runtime.strategy.ticket import Verb

__all__ = ["Handler", "Note", "Observer", "Observers", "RequestOutcome", "observed"]

RequestOutcome = Literal["accepted", "refused", "unanswered"]
"""What became of a request."""

Handler = Callable[[Any], Awaitable[None] | None]
"""What deals with an event; gives back None, or something to await."""

Note = Callable[[Any, float, float], None]
"""Called with an event that was delivered, and with when its handling began and ended, in monotonic
seconds: the update of book and indicators, and the hook."""


class Observer(Protocol):
    """Told of everything that happens, in the thread of the strategy. It must be quick."""

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """What is to be told of each event of a kind, asked for before the first.

        Args:
            hook: Name of the strategy's hook, or None where it has none for this kind.
        """
        ...

    def hook_failed(self, hook: str) -> None:
        """A hook raised."""

    def request_settled(self, verb: Verb, outcome: RequestOutcome, seconds: float) -> None:
        """A request was answered.

        Args:
            seconds: From when it was sent.
        """


class Observers:
    """Several observers as one."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def noting(self, kind: type[Any], hook: str | None, mode: Mode) -> Note:
        """What is to be told of each event of a kind."""
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
    """A handler that tells how long it took, with whatever it gives to await; also if it raises."""

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
