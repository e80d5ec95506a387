"""Eager execution of hooks that are coroutines, as most of them never wait."""

from collections.abc import Callable, Coroutine, Generator
from functools import partial, wraps
from typing import Any

from strategy_runtime.strategy.hooks import Hook

__all__ = ["eager"]

_AT_ITS_END = object()


class _Begun:
    """A started coroutine that waits for something; awaiting this finishes it."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._coroutine = coroutine
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine, waits_for = self._coroutine, self._waits_for
        go_on: Callable[[], Any]
        while True:
            try:
                answer = yield waits_for
            except GeneratorExit:
                coroutine.close()
                raise
            except BaseException as error:
                go_on = partial(coroutine.throw, error)
            else:
                go_on = partial(coroutine.send, answer)
            try:
                waits_for = go_on()
            except StopIteration:
                return


def eager(hook: Hook) -> Hook:
    """Wrap a coroutine function to start at once, and return an awaitable only if it waits.

    It runs in the same task and in the same order as if it were awaited.

    Args:
        hook: Takes one event.
    """

    @wraps(hook)
    def call(event: Any) -> _Begun | None:
        coroutine: Any = hook(event)
        # With a default, `next` creates no StopIteration at the end of the coroutine.
        waits_for = next(coroutine.__await__(), _AT_ITS_END)
        return None if waits_for is _AT_ITS_END else _Begun(coroutine, waits_for)

    return call
