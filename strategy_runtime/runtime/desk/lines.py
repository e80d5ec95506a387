"""Lines: the requests of a live run on their way, one line a symbol.

Those of a symbol leave in the order in which they were given, each when those before it have been
answered; those of different symbols leave side by side. What is not answered holds up nobody for
long: not the hook that comes next, nor a cancel in its symbol, and an order or a change behind it
is refused after a while, before it is too old to be meant. Only what concerns the very same order
waits for its answer however long that takes, since nothing can be said of it before.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

from strategy_runtime.clock import monotonic
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.runtime.desk.refusals import halted, refuse, stopping
from strategy_runtime.strategy.ticket import Ticket

__all__ = ["Lines", "Request", "Send"]

Send = Callable[[], Coroutine[Any, Any, Order | None]]
"""Sends a request; raises what became of it where it was not accepted."""

Request = OrderRequest | Send

_HOOK_WAITS_S = 1.0
_HARDLY_ANY_S = 0.001  # so little that a clock need not tell it from none
_CANCEL_WAITS_S = 1.0
_ORDER_WAITS_S = 5.0


class _UnderWay(NamedTuple):
    task: asyncio.Task[None]
    given: float


class Lines:
    """Whatever has been given and not been answered.

    Args:
        send: Sends a request and settles its ticket, whatever becomes of it.
    """

    def __init__(self, send: Callable[[Ticket, Request], Coroutine[Any, Any, None]]) -> None:
        self._send = send
        self._under_way: dict[Ticket, _UnderWay] = {}
        self._overtaken: frozenset[Ticket] = frozenset()
        self._faults: list[BaseException] = []

    def give(self, ticket: Ticket, request: Request) -> None:
        """Have a request sent when its turn comes."""
        same, before = set(), set()
        for other, (task, _) in self._under_way.items():
            if other.client_order_id == ticket.client_order_id:
                same.add(task)
            elif other.symbol == ticket.symbol and other not in self._overtaken:
                before.add(task)
        task = asyncio.get_running_loop().create_task(
            self._in_turn(ticket, request, same, before), name="strategy-runtime order"
        )
        self._under_way[ticket] = _UnderWay(task, monotonic())
        task.add_done_callback(partial(self._ended, ticket))

    def _ended(self, ticket: Ticket, task: asyncio.Task[None]) -> None:
        del self._under_way[ticket]
        fault = None if task.cancelled() else task.exception()
        if fault is not None and not ticket.awaited:  # else it is raised where it is awaited
            self._faults.append(fault)

    async def _in_turn(
        self,
        ticket: Ticket,
        request: Request,
        same: set[asyncio.Task[None]],
        before: set[asyncio.Task[None]],
    ) -> None:
        try:
            if same:
                await asyncio.wait(same)
            if before:
                is_cancel = ticket.verb == "cancel"
                patience = _CANCEL_WAITS_S if is_cancel else _ORDER_WAITS_S
                _, unanswered = await asyncio.wait(before, timeout=patience)
                if unanswered and not is_cancel:
                    why = f"an earlier request in {ticket.symbol} has not been answered"
                    request = partial(refuse, halted(why))
        except asyncio.CancelledError:  # by `finish`
            request = partial(refuse, stopping("the run ended before it was sent"))
        await self._send(ticket, request)

    # Waiting

    @property
    def is_recent(self) -> bool:
        """Whether something is under way that the next hook waits for, or has failed."""
        return bool(self._faults or self._recent())

    def _recent(self) -> dict[asyncio.Task[None], float]:
        """What was given a moment ago, and for how many seconds it is still waited for."""
        now = monotonic()
        left = {task: given + _HOOK_WAITS_S - now for task, given in self._under_way.values()}
        return {task: seconds for task, seconds in left.items() if seconds > _HARDLY_ANY_S}

    async def recent(self) -> None:
        """Wait until what was given a moment ago has been answered, or is no longer recent.

        Raises:
            Exception: What sending a request has raised, a moment ago or before; one at a time.
        """
        while not self._faults and (recent := self._recent()):
            await asyncio.wait(
                recent, timeout=min(recent.values()), return_when=asyncio.FIRST_COMPLETED
            )
        if self._faults:
            raise self._faults.pop(0)

    async def answer(self, ticket: Ticket) -> None:
        """Wait until a request has been answered."""
        if ticket in self._under_way:
            await asyncio.shield(self._under_way[ticket].task)

    # The end

    def overtake(self) -> None:
        """Let nothing that is given from now on wait for what was given before."""
        self._overtaken = frozenset(self._under_way)

    async def cleared(self) -> None:
        """Wait until whatever was given since then has been answered."""
        since = {
            task for ticket, (task, _) in self._under_way.items() if ticket not in self._overtaken
        }
        if since:
            await asyncio.wait(since)

    async def finish(self, within: float) -> list[BaseException]:
        """Wait for what is under way for so many seconds, and give up the rest.

        Gives back what `recent` would have raised.
        """
        tasks = {task for task, _ in self._under_way.values()}
        if tasks:
            _, unanswered = await asyncio.wait(tasks, timeout=within)
            for task in unanswered:
                task.cancel()
            await asyncio.gather(*unanswered, return_exceptions=True)
        return self._faults
