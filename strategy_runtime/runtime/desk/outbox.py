"""The outbox: sends the requests of a strategy to the venue.

In a backtest they are sent one at a time, in order, when the hook returns, or earlier when a ticket
is awaited. So ids and fills never depend on the speed of answers. Live they wait neither for a slow
hook nor for those of another symbol: they are sent through `Lines`, as soon as the hook yields to
the event loop.

While it is unknown whether an order arrived, no more orders are sent in its symbol.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine
from functools import partial
from typing import Any
from weakref import WeakSet

from strategy_runtime.clock import monotonic
from strategy_runtime.errors import (
    ApiError,
    FateUnknown,
    OrderRejected,
    StrategyRuntimeError,
    Verb,
    WouldDeadlock,
)
from strategy_runtime.protocol.enums import OrderStatus
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.order_states import is_on_its_way, name_of, newly_placed
from strategy_runtime.runtime.desk.doubts import Doubts
from strategy_runtime.runtime.desk.lines import Amendment, Lines, Request
from strategy_runtime.runtime.desk.refusals import (
    FATE_UNKNOWN,
    NOT_ANSWERED,
    failed,
    outcome_of,
    refuse,
    refused,
    stopping,
)
from strategy_runtime.runtime.observer import Observer
from strategy_runtime.runtime.store import Journal
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy.desk import Mode
from strategy_runtime.strategy.ticket import Ticket

__all__ = ["Outbox"]


class Outbox:
    """Tickets and their requests; `TradingDesk` adds the strategy's methods.

    Attributes:
        hook_task: The task that currently runs hooks, or None.
        is_closed: True once no new orders are accepted (cancels always are).
        is_winding_down: True once only orders that close positions are accepted, even in symbols
            with an order of unknown fate.
        unsettled: Issued tickets that `settle` has not processed yet.
        refused_orders: Number of orders refused, here or by the venue, awaited or not.
        doubts: Orders whose fate is unknown.
        anomalies: Those of the book, and of orders whose fate is unknown.
    """

    def __init__(
        self,
        venue: Venue,
        book: Book,
        mode: Mode,
        observer: Observer | None,
        journal: Journal | None,
    ) -> None:
        self.hook_task: asyncio.Task[object] | None = None
        self.is_closed = False
        self.is_winding_down = False
        self.unsettled: list[Ticket] = []
        self.refused_orders = 0
        self.doubts = Doubts(venue, book, journal)
        self.anomalies = book.anomalies
        self._venue = venue
        self._book = book
        self._mode: Mode = mode
        self._observer = observer
        self._journal = journal
        self._direct = venue.direct if mode == "backtest" else None
        self._waiting: deque[tuple[Ticket, Request]] = deque()
        self._one_at_a_time = asyncio.Lock()
        self._lines = Lines(self._send) if mode == "live" else None
        self._fill_waiters: dict[str, asyncio.Event] = {}
        self._open_tickets: dict[str, WeakSet[Ticket]] = {}
        """Live: tickets still referenced, of orders that have not ended, by client order id."""
        self._cancelled: dict[str, Order] = {}
        """Orders that ended with the answer to a cancel, by the venue's id, until their event."""
        book.when_ended = self._order_ended

    def settle_at_once(self) -> bool:
        """Send waiting requests to a synchronous venue; return False if `settle` has more to do."""
        direct, waiting, observer = self._direct, self._waiting, self._observer
        if direct is None:
            return False
        book = self._book
        while waiting:
            ticket, what = waiting.popleft()
            began = 0.0 if observer is None else monotonic()
            try:
                if isinstance(what, OrderRequest):
                    self._admit(what)
                    if book.statement is not None:
                        direct.place(what)
                    else:
                        book.accept(ticket.client_order_id, direct.submit(what))
                elif isinstance(what, Amendment) and book.statement is not None:
                    if what.changes is None:
                        direct.withdraw(what.key)
                    else:
                        direct.revise(what.key, what.changes)
                else:
                    ticket.answer = answer = _at_once(what())
                    self._note_cancel(ticket, answer)
                ticket.is_settled = True
                if observer is None:
                    continue
            except ApiError as refusal:
                ticket.settle(refused(ticket, refusal))
            except Exception as fault:
                self._lose(ticket, _in_words(fault))
                self.unsettled.remove(ticket)
                raise
            self._account_for(ticket, began)
        for ticket in self.unsettled:
            if ticket.error is not None:
                return False
        self.unsettled.clear()
        return True

    @property
    def has_to_settle(self) -> bool:
        """Whether `settle` has anything to do."""
        if self._lines is None:
            return bool(self.unsettled)
        return self._lines.is_recent or any(ticket.is_settled for ticket in self.unsettled)

    async def settle(self) -> list[OrderRejected]:
        """Wait for the answers to all requests, and return the refusals that nobody awaited.

        Live, a request that is not answered soon is left for the next call.

        Raises:
            Exception: A request failed unexpectedly; its ticket is settled.
        """
        if self._lines is not None:
            await self._lines.recent()
        while self._waiting or self._one_at_a_time.locked():
            await self._send_next()
        settled = [ticket for ticket in self.unsettled if ticket.is_settled]
        if self._lines is None and len(settled) < len(self.unsettled):
            self._lose_interrupted()
        self.unsettled[:] = [ticket for ticket in self.unsettled if not ticket.is_settled]
        return [t.error for t in settled if t.error is not None and not t.awaited]

    async def _send_next(self) -> None:
        async with self._one_at_a_time:
            if self._waiting:
                await self._send(*self._waiting.popleft())

    async def _send(self, ticket: Ticket, what: Request) -> None:
        began = 0.0 if self._observer is None else monotonic()
        try:
            if isinstance(what, OrderRequest):
                await self._place(what)
            else:
                ticket.answer = answer = await what()
                self._note_cancel(ticket, answer)
            ticket.settle()
        except ApiError as refusal:
            ticket.settle(refused(ticket, refusal))
        except FateUnknown as doubt:
            self._doubt(ticket, doubt)
        except asyncio.CancelledError:
            self._lose(ticket, "the run ended before it was answered")
            raise
        except StrategyRuntimeError as trouble:
            ticket.settle(failed(ticket, NOT_ANSWERED, trouble))
        except Exception as fault:
            self._lose(ticket, _in_words(fault))
            raise
        self._account_for(ticket, began)

    def _account_for(self, ticket: Ticket, began: float) -> None:
        """Record the outcome of a request that was sent."""
        error = ticket.error
        if ticket.verb == "submit" and (error is None or error.code != FATE_UNKNOWN):
            if error is not None:
                self.refused_orders += 1
                self._book.refuse(ticket.client_order_id)
            if self._journal is not None:
                outcome = "accepted" if error is None else "refused"
                known = None if error else self._book.order(ticket.client_order_id)
                placed = None if known is None else newly_placed(known)
                self._journal.settle(ticket.client_order_id, outcome, placed)
        if self._observer is not None:
            self._observer.request_settled(ticket.verb, outcome_of(ticket), monotonic() - began)

    def _lose(self, ticket: Ticket, why: str) -> None:
        """Settle the ticket of a request that was interrupted and will never be answered."""
        lost = FateUnknown(ticket.client_order_id, ticket.symbol, why)
        if ticket.verb == "submit" and self._direct is None:  # in process nothing is on its way
            self._doubt(ticket, lost)
        else:
            ticket.settle(failed(ticket, NOT_ANSWERED, lost))

    def _lose_interrupted(self) -> None:
        """Give up what was being sent when Ctrl-C came, of which nothing can be waited for."""
        for ticket in self.unsettled:
            if not ticket.is_settled:
                self._lose(ticket, "the run was interrupted before it was answered")

    def _doubt(self, ticket: Ticket, doubt: FateUnknown) -> None:
        self.doubts.enter(doubt)
        ticket.settle(failed(ticket, FATE_UNKNOWN, doubt))

    async def send_until(self, ticket: Ticket) -> None:
        """Send requests until this one is answered."""
        if self._lines is not None:
            await self._lines.answer(ticket)
            return
        while not ticket.is_settled:
            await self._send_next()

    def overtake(self) -> None:
        """Wind down: requests from now on do not wait for earlier ones."""
        self.is_winding_down = True
        if self._lines is not None:
            self._lines.overtake()

    async def cleared(self) -> None:
        """Wait until all requests since `overtake` have been answered."""
        if self._lines is not None:
            await self._lines.cleared()
        while self._waiting:
            await self._send_next()

    async def finish(self, within: float) -> list[BaseException]:
        """End the run; live, wait so many seconds for pending requests.

        Returns:
            What `settle` would have raised.
        """
        return [] if self._lines is None else await self._lines.finish(within)

    @property
    def unreported(self) -> list[Ticket]:
        """Refused and unanswered tickets that nobody was told about."""
        return [
            ticket
            for ticket in self.unsettled
            if ticket.error is not None and ticket.error.code != FATE_UNKNOWN and not ticket.awaited
        ]

    def _issue(
        self,
        verb: Verb,
        symbol: str,
        client_order_id: str,
        what: Request,
        known: Order | None = None,
    ) -> Ticket:
        ticket = Ticket(self, verb, symbol, client_order_id)
        if self._lines is None:
            self._waiting.append((ticket, what))
        else:
            is_placed = known is not None and not is_on_its_way(known)
            self._lines.give(ticket, what, is_placed=is_placed)
            if known is None or known.is_open:
                self._open_tickets.setdefault(client_order_id, WeakSet()).add(ticket)
            else:
                ticket.ended = known
        self.unsettled.append(ticket)
        return ticket

    def _issue_refused(
        self,
        verb: Verb,
        symbol: str,
        client_order_id: str,
        refusal: ApiError,
        known: Order | None = None,
    ) -> Ticket:
        """Issue a ticket for a request that is not sent; it is refused when its turn comes."""
        return self._issue(verb, symbol, client_order_id, partial(refuse, refusal), known)

    async def wait_for_end(self, ticket: Ticket) -> None:
        """Wait until an order has ended.

        Raises:
            WouldDeadlock: It cannot end before the caller has returned.
        """
        is_hook = asyncio.current_task() is self.hook_task
        if is_hook or self._mode == "backtest":
            why = (
                "a hook waits for the fill of {}, but no event is delivered before the hook has "
                "returned"
                if is_hook
                else "a task waits for the fill of {}, but in a backtest tasks wait for no events"
            )
            raise WouldDeadlock(
                f"{why.format(ticket.client_order_id)}; leave the ticket and act in on_order or "
                "on_trade"
            )
        if self.order_about(ticket).is_open:
            event = self._fill_waiters.setdefault(ticket.client_order_id, asyncio.Event())
            await event.wait()

    def _order_ended(self, key: str, order: Order) -> None:
        """Give an ended order to its tickets, and wake those who wait for its end."""
        self._cancelled.pop(order.id, None)
        for ticket in self._open_tickets.pop(key, ()):
            ticket.ended = order
        waiter = self._fill_waiters.pop(key, None)
        if waiter is not None:
            waiter.set()

    def _admit(self, request: OrderRequest) -> None:
        """Check that an order is accepted now.

        Raises:
            ApiError: It is not, since the run ends.
        """
        if self.is_closed and not (self.is_winding_down and request.reduce_only):
            raise stopping("the run is being stopped; no new orders are sent")

    async def _place(self, request: OrderRequest) -> None:
        """Send an order, if it is accepted now.

        Raises:
            ApiError: It was refused, here or by the venue.
        """
        self._admit(request)
        if self.doubts and not self.is_winding_down:
            await self.doubts.check_symbol_clear(request.symbol)
        if self._journal is not None:
            self._journal.intend(request)
        self._book.accept(request.client_order_id or "", await self._venue.submit(request))

    def order_about(self, ticket: Ticket) -> Order:
        """Return the order of a ticket, however long ago it ended."""
        order = self._known(ticket.client_order_id) or ticket.ended
        return order or self.order_of(ticket.client_order_id)

    def order_of(self, key: str) -> Order:
        """Return an order by its client order id or the venue's id.

        Raises:
            ValueError: There is none in this run, or it ended so long ago that it was forgotten.
        """
        order = self._known(key)
        if order is None:
            raise ValueError(f"no order {key!r} in this run{self._book.what_is_forgotten}")
        return order

    def _known(self, key: str) -> Order | None:
        """Return an order by its client order id or the venue's id, as its last answer has it."""
        order = self._book.order(key)
        return None if order is None else self._cancelled.get(order.id, order)

    def _note_cancel(self, ticket: Ticket, answer: Order | None) -> None:
        """Note that an order has ended, although events before that of its end may still come."""
        if ticket.verb == "cancel" and answer is not None:
            known = self._book.order(name_of(answer))
            if answer.status is OrderStatus.CANCELLED and known is not None and known.is_open:
                self._cancelled[known.id] = answer


def _at_once(request: Coroutine[Any, Any, Order | None]) -> Order | None:
    """Run a request that never waits, and return its answer."""
    try:
        request.send(None)
    except StopIteration as end:
        answer: Order | None = end.value
        return answer
    raise RuntimeError("a request waits in a venue that is said to answer at once")


def _in_words(fault: Exception) -> str:
    return f"{type(fault).__name__}: {fault}"
