"""Lines: the requests of a live run on their way, one line a symbol.

Those of a symbol leave in the order in which they were given, each when those before it have been
answered; those of different symbols leave side by side.

A request that is not answered holds up nobody for long. The next hook waits a second for it, and so
does a cancel in its symbol. An order or a change behind it waits as long as those before it are
answered, one after the other; when none is for five seconds, it is refused, since it would be too
old to be meant. Only what concerns the very same order waits for the answer however long that
takes, since nothing can be said of the order before.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from math import inf
from typing import Any, NamedTuple

from msgspec import Struct

from strategy_runtime.clock import monotonic
from strategy_runtime.protocol.models import Order, OrderChanges, OrderRequest
from strategy_runtime.runtime.desk.refusals import halted, refuse, stopping
from strategy_runtime.strategy.ticket import Ticket

__all__ = ["InHand", "Lines", "Request", "Send", "loop_of_hooks"]

Send = Callable[[], Coroutine[Any, Any, Order | None]]
"""Sends a request; raises what became of it where it was not accepted."""


class InHand(NamedTuple):
    """A change or a cancel of an order.

    A venue in process that a witness looks on at is given key and changes, any other what `send`
    sends.

    Attributes:
        key: What the order goes by.
        changes: None cancels it.
    """

    key: str
    changes: OrderChanges | None
    send: Send

    def __call__(self) -> Coroutine[Any, Any, Order | None]:
        """Send it."""
        return self.send()


Request = OrderRequest | InHand | Send


_HOOK_WAITS_S = 1.0
_HARDLY_ANY_S = 0.001  # so little time is none: a clock may not tell the two apart
_CANCEL_WAITS_S = 1.0
_ORDER_WAITS_S = 5.0


class _Line(deque["_UnderWay"]):
    """The requests in one symbol, those that were answered out of turn among them.

    Attributes:
        moved: When one was last answered.
    """

    moved = -inf


class _UnderWay(Struct, eq=False):
    """A request that has not been answered.

    Attributes:
        line: Its own.
        turn: Done when all before it in the line have been answered.
    """

    ticket: Ticket
    line: _Line
    given: float
    turn: asyncio.Future[None]
    is_over: bool = False


def loop_of_hooks() -> asyncio.AbstractEventLoop:
    """The event loop in which hooks run, and what they give is sent.

    Raises:
        RuntimeError: It is another thread that asks.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "verbs are for hooks, and not for other threads: have the thread note what is to be "
            "done, and do it in the next hook, or in one that a timer calls"
        ) from None


class Lines:
    """Whatever has been given and not been answered.

    Args:
        send: Sends a request and settles its ticket, whatever becomes of it.
    """

    def __init__(self, send: Callable[[Ticket, Request], Coroutine[Any, Any, None]]) -> None:
        self._send = send
        self._under_way: dict[Ticket, tuple[_UnderWay, asyncio.Task[None]]] = {}
        self._last_about: dict[str, Ticket] = {}
        """The one given last of those about an order, by its client order id."""
        self._lines: dict[str, _Line] = {}
        self._overtaken: frozenset[Ticket] = frozenset()
        self._faults: list[BaseException] = []

    def give(self, ticket: Ticket, request: Request, *, is_placed: bool = False) -> None:
        """Have a request sent when its turn comes.

        Args:
            is_placed: The venue has told of the order, whether or not it has answered it.
        """
        loop = loop_of_hooks()
        before = self._last_about.get(ticket.client_order_id)
        same = None if before is None else self._under_way[before][1]
        # What waits for something that has been overtaken must not hold up those behind it.
        is_apart = before in self._overtaken
        within = None
        if is_apart and is_placed and before is not None:
            # The answer to a change may be that the order has another id from then on.
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
        if fault is not None and not ticket.awaited:  # else it is raised where it is awaited
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
        """Whether something is under way that the next hook waits for, or has failed."""
        return bool(self._faults or self._newest())

    def _newest(self) -> tuple[asyncio.Task[None], float] | None:
        """What was given last, if that was a moment ago, and for how many seconds it is still
        waited for.
        """
        if not self._under_way:
            return None
        mine, task = next(reversed(self._under_way.values()))
        left = mine.given + _HOOK_WAITS_S - monotonic()
        return (task, left) if left > _HARDLY_ANY_S else None

    async def recent(self) -> None:
        """Wait until what was given a moment ago has been answered, or is no longer recent.

        Raises:
            Exception: What sending a request has raised, a moment ago or before; one at a time.
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
        """Let nothing that is given from now on wait for what was given before."""
        self._overtaken = frozenset(self._under_way)
        self._lines = {}

    async def cleared(self) -> None:
        """Wait until whatever was given since then has been answered."""
        since = {
            task for ticket, (_, task) in self._under_way.items() if ticket not in self._overtaken
        }
        if since:
            await asyncio.wait(since)

    async def finish(self, within: float) -> list[BaseException]:
        """Wait for what is under way for so many seconds, and give up the rest.

        Gives back what `recent` would have raised.
        """
        tasks = {task for _, task in self._under_way.values()}
        if tasks:
            _, unanswered = await asyncio.wait(tasks, timeout=within)
            for task in unanswered:
                task.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)
        return self._faults


def _call_the_first(line: _Line) -> None:
    """Give the turn to the first in a line that has not been answered."""
    while line and line[0].is_over:
        line.popleft()
    if line and not line[0].turn.done():
        line[0].turn.set_result(None)


async def _turn_comes(mine: _UnderWay) -> bool:
    """Wait for the turn of a request; False where it has waited for long enough.

    A cancel waits for a moment only, and whatever else for as long as the line moves.
    """
    is_cancel = mine.ticket.verb == "cancel"
    patience, since = _CANCEL_WAITS_S if is_cancel else _ORDER_WAITS_S, monotonic()
    while (left := since + patience - monotonic()) > 0 and not mine.turn.done():
        await asyncio.wait((mine.turn,), timeout=left)
        since = since if is_cancel else max(since, mine.line.moved)
    return mine.turn.done()
