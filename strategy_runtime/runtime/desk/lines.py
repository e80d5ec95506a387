"""Lines: queues for the pending requests of a live run, one for each symbol.

The requests of a symbol are sent in order, each when those before it have been answered; those of
different symbols are sent concurrently.

An unanswered request blocks others only briefly. The next hook waits a second for it, and so does a
cancel in its symbol. Orders and changes behind it wait as long as the line moves; if nothing is
answered for five seconds, they are refused, since they would be too old to be meant. Only requests
about the same order wait for the answer however long it takes, since they depend on it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from math import inf
from typing import Any

from msgspec import Struct

from strategy_runtime.clock import monotonic
from strategy_runtime.protocol.models import Order, OrderChanges, OrderRequest
from strategy_runtime.runtime.desk.refusals import halted, refuse, stopping
from strategy_runtime.strategy.ticket import Ticket

__all__ = ["Amendment", "Lines", "Request", "Send", "loop_of_hooks"]

Send = Callable[[], Coroutine[Any, Any, Order | None]]
"""Sends a request; raises an error if it was not accepted."""


class Amendment(Struct, frozen=True):
    """A change or cancel of an order.

    A venue in process that the book follows is given key and changes; for any other, `send` is
    called.

    Attributes:
        key: Key of the order in the book.
        changes: None cancels it.
    """

    key: str
    changes: OrderChanges | None
    send: Send

    def __call__(self) -> Coroutine[Any, Any, Order | None]:
        """Send it."""
        return self.send()


Request = OrderRequest | Amendment | Send


_HOOK_WAITS_S = 1.0
_HARDLY_ANY_S = 0.001  # treated as zero, since it may be below the resolution of the clock
_CANCEL_WAITS_S = 1.0
_ORDER_WAITS_S = 5.0


class _Line(deque["_UnderWay"]):
    """The requests in one symbol, including those answered out of turn.

    Attributes:
        moved: When one was last answered.
    """

    moved = -inf


class _UnderWay(Struct, eq=False):
    """A request that has not been answered.

    Attributes:
        line: The line it is in.
        turn: Done when all before it in the line have been answered.
    """

    ticket: Ticket
    line: _Line
    given: float
    turn: asyncio.Future[None]
    is_over: bool = False


def loop_of_hooks() -> asyncio.AbstractEventLoop:
    """Return the event loop in which hooks run and requests are sent.

    Raises:
        RuntimeError: Called from another thread.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "verbs are for hooks, and not for other threads: have the thread note what is to be "
            "done, and do it in the next hook, or in one that a timer calls"
        ) from None


class Lines:
    """All requests that have not been answered.

    Args:
        send: Sends a request and settles its ticket, whatever the outcome.
    """

    def __init__(self, send: Callable[[Ticket, Request], Coroutine[Any, Any, None]]) -> None:
        self._send = send
        self._under_way: dict[Ticket, tuple[_UnderWay, asyncio.Task[None]]] = {}
        self._last_about: dict[str, Ticket] = {}
        """The last request about an order, by its client order id."""
        self._lines: dict[str, _Line] = {}
        self._overtaken: frozenset[Ticket] = frozenset()
        self._faults: list[BaseException] = []

    def give(self, ticket: Ticket, request: Request, *, is_placed: bool = False) -> None:
        """Send a request when its turn comes.

        Args:
            is_placed: The venue is known to have the order, even if it has not answered it.
        """
        loop = loop_of_hooks()
        before = self._last_about.get(ticket.client_order_id)
        same = None if before is None else self._under_way[before][1]
        # A request that waits for an overtaken one must not block those behind it.
        is_apart = before in self._overtaken
        within = None
        if is_apart and is_placed and before is not None:
            # The answer to a change may give the order another id.
            within = _CANCEL_WAITS_S if before.verb == "modify" else 0.0
        line = _Line() if is_apart else self._lines.setdefault(ticket.symbol, _Line())
        mine = _UnderWay(ticket, line, monotonic(), loop.create_future())
        line.append(mine)
        _call_the_first(line)
        task = loop.create_task(
            self._in_turn(mine, request, same, within), name="strategy-runtime order"
        )
        self._under_way[ticket] = mine, task
        self._last_about[ticket.client_order_id] = ticket
        task.add_done_callback(partial(self._ended, mine))

    def _ended(self, mine: _UnderWay, task: asyncio.Task[None]) -> None:
        ticket, line = mine.ticket, mine.line
        mine.is_over, line.moved = True, monotonic()
        del self._under_way[ticket]
        if self._last_about.get(ticket.client_order_id) is ticket:
            del self._last_about[ticket.client_order_id]
        _call_the_first(line)
        if not line and self._lines.get(ticket.symbol) is line:
            del self._lines[ticket.symbol]
        fault = None if task.cancelled() else task.exception()
        if fault is not None and not ticket.awaited:  # otherwise awaiting the ticket raises it
            self._faults.append(fault)

    async def _in_turn(
        self,
        mine: _UnderWay,
        request: Request,
        same: asyncio.Task[None] | None,
        within: float | None,
    ) -> None:
        ticket = mine.ticket
        try:
            if same is not None:
                await asyncio.wait((same,), timeout=within)
            if not mine.turn.done() and not await _turn_comes(mine) and ticket.verb != "cancel":
                why = f"an earlier request in {ticket.symbol} has not been answered"
                request = partial(refuse, halted(why))
        except asyncio.CancelledError:  # by `finish`
            request = partial(refuse, stopping("the run ended before it was sent"))
        await self._send(ticket, request)

    # Waiting

    @property
    def is_recent(self) -> bool:
        """Whether the next hook has to wait for a request, or one has failed."""
        return bool(self._faults or self._newest())

    def _newest(self) -> tuple[asyncio.Task[None], float] | None:
        """Return the newest request and how many seconds to wait for it; None if it is too old."""
        if not self._under_way:
            return None
        mine, task = next(reversed(self._under_way.values()))
        left = mine.given + _HOOK_WAITS_S - monotonic()
        return (task, left) if left > _HARDLY_ANY_S else None

    async def recent(self) -> None:
        """Wait until the newest requests have been answered, or are no longer recent.

        Raises:
            Exception: An unexpected failure of sending a request, now or earlier; one per call.
        """
        while not self._faults and (newest := self._newest()) is not None:
            await asyncio.wait(newest[:1], timeout=newest[1])
        if self._faults:
            raise self._faults.pop(0)

    async def answer(self, ticket: Ticket) -> None:
        """Wait until a request has been answered."""
        if ticket in self._under_way:
            await asyncio.shield(self._under_way[ticket][1])

    # The end

    def overtake(self) -> None:
        """Let requests from now on overtake all earlier ones."""
        self._overtaken = frozenset(self._under_way)
        self._lines = {}

    async def cleared(self) -> None:
        """Wait until all requests since `overtake` have been answered."""
        since = {
            task for ticket, (_, task) in self._under_way.items() if ticket not in self._overtaken
        }
        if since:
            await asyncio.wait(since)

    async def finish(self, within: float) -> list[BaseException]:
        """Wait so many seconds for pending requests, then cancel the rest.

        Returns:
            What `recent` would have raised.
        """
        tasks = {task for _, task in self._under_way.values()}
        if tasks:
            _, unanswered = await asyncio.wait(tasks, timeout=within)
            for task in unanswered:
                task.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)
        return self._faults


def _call_the_first(line: _Line) -> None:
    """Give the turn to the first request in a line that has not been answered."""
    while line and line[0].is_over:
        line.popleft()
    if line and not line[0].turn.done():
        line[0].turn.set_result(None)


async def _turn_comes(mine: _UnderWay) -> bool:
    """Wait for the turn of a request; return False if it has waited long enough.

    A cancel only waits for a moment, any other request as long as the line moves.
    """
    is_cancel = mine.ticket.verb == "cancel"
    patience, since = _CANCEL_WAITS_S if is_cancel else _ORDER_WAITS_S, monotonic()
    while (left := since + patience - monotonic()) > 0 and not mine.turn.done():
        await asyncio.wait((mine.turn,), timeout=left)
        since = since if is_cancel else max(since, mine.line.moved)
    return mine.turn.done()
