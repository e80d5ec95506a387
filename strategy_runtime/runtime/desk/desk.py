"""The trading desk: turns a strategy's calls into requests, or answers them from the book."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any

from msgspec.structs import replace

from strategy_runtime.errors import ApiError, StrategyRuntimeError
from strategy_runtime.ids import counted
from strategy_runtime.protocol.enums import OrderType, Side, TimeInForce
from strategy_runtime.protocol.events import CandleRun
from strategy_runtime.protocol.models import Candle, Order, OrderChanges, OrderRequest
from strategy_runtime.protocol.values import in_digits
from strategy_runtime.protocol.witness import Part, Witness
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.book.nets import check_symbol
from strategy_runtime.runtime.book.order_states import name_of, newly_placed
from strategy_runtime.runtime.clock import RunClock
from strategy_runtime.runtime.desk.arguments import (
    changes_of,
    check_flags,
    check_text,
    magnitude,
    prices_of,
    time_in_force_of,
    units,
)
from strategy_runtime.runtime.desk.lines import Amendment, loop_of_hooks
from strategy_runtime.runtime.desk.misplaced import MisplacedLegs
from strategy_runtime.runtime.desk.outbox import Outbox
from strategy_runtime.runtime.desk.sizing import size_of
from strategy_runtime.runtime.observer import Handler, Observer
from strategy_runtime.runtime.rounding import AS_GIVEN, Rounding
from strategy_runtime.runtime.store import Journal
from strategy_runtime.runtime.timers import Timers
from strategy_runtime.runtime.venue import Venue
from strategy_runtime.strategy.desk import Mode, Number, OrderReference, TimerFunction
from strategy_runtime.strategy.ticket import Ticket
from strategy_runtime.strategy.timer import Timer
from strategy_runtime.strategy.views import AccountView, NetPosition, RiskState

__all__ = ["TradingDesk"]

_ZERO = Decimal(0)
# Looking up an Enum member is five times slower than a global, and every order needs these.
_BUY, _SELL, _MARKET = Side.BUY, Side.SELL, OrderType.MARKET
# Status codes for a cancel that comes too late; some proxies report it as a fault of the broker.
_MAY_HAVE_ENDED = (400, 404, 409, 422, 502)
_NO_PRICES: Mapping[str, Any] = {}
_SOON_S = 0.2  # three such steps leave enough time for the cancels and closing orders

_log = logging.getLogger("strategy_runtime")


class TradingDesk(Outbox):
    """Implements the strategy's desk on a venue.

    Args:
        rounding: Lot and tick sizes to which orders are rounded.

    Attributes:
        quit_reason: Why the strategy has quit, or None if it has not.
        when_quit: Called when it quits.
        misplaced_legs: What is wrong with the prices of brackets.
    """

    def __init__(
        self,
        venue: Venue,
        book: Book,
        clock: RunClock,
        timers: Timers,
        *,
        prefix: str,
        mode: Mode,
        observer: Observer | None = None,
        journal: Journal | None = None,
        rounding: Rounding = AS_GIVEN,
    ) -> None:
        super().__init__(venue, book, mode, observer, journal)
        self._rounding, self._rounds = rounding, bool(rounding)
        self._compares_changes = self._rounds
        """Whether a change has to be compared with its order before it is sent."""
        self._clock = clock
        self._timers = timers
        self._prefix = f"{prefix}-"
        self._next_id = counted(self._prefix)
        self.quit_reason: str | None = None
        self.when_quit: Callable[[], None] = _nothing
        self.misplaced_legs = MisplacedLegs()
        self._chosen: set[str] = set()
        """Ids that the strategy has chosen, also for orders that the book has forgotten."""

    # Verbs

    def order(
        self,
        side: Side,
        symbol: str,
        quantity: Number | None,
        limit: Number | None = None,
        stop: Number | None = None,
        trailing: Number | None = None,
        trailing_percent: Number | None = None,
        fraction: Number | None = None,
        notional: Number | None = None,
        risk: Number | None = None,
        stop_loss: Number | None = None,
        take_profit: Number | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        reduce_only: bool = False,
        oco_group: str | None = None,
        client_order_id: str | None = None,
    ) -> Ticket:
        """See `Strategy.buy`."""
        if self._lines is not None:
            loop_of_hooks()  # refuses other threads before the order is recorded anywhere
        if type(symbol) is not str:
            check_symbol(symbol)
        if not symbol.isascii():
            check_text("symbol", symbol)
        if oco_group is not None:
            check_text("oco_group", oco_group)
        prices: Mapping[str, Any] = _NO_PRICES
        if not (limit is stop is trailing is trailing_percent is stop_loss is take_profit is None):
            prices = prices_of(limit, stop, trailing, trailing_percent, stop_loss, take_profit)
            if not (stop_loss is take_profit is None):
                self._check_legs(symbol, side, prices)
            if self._rounds:
                prices = self._rounding.prices(symbol, side, prices)
        size = size_of(
            symbol, side, quantity, fraction, notional, risk, self._equity, prices, self._book.last
        )
        if post_only is not False or reduce_only is not False:
            check_flags(post_only=post_only, reduce_only=reduce_only)
        own_id = self._free(client_order_id) if client_order_id else self._next_id()
        request = OrderRequest(
            symbol=symbol,
            side=side,
            quantity=size,
            order_type=_MARKET,
            reduce_only=reduce_only,
            post_only=post_only,
            client_order_id=own_id,
            oco_group_id=oco_group,
            time_in_force=time_in_force
            if type(time_in_force) is TimeInForce
            else time_in_force_of(time_in_force),
        )
        if client_order_id:
            self._chosen.add(client_order_id)
        if prices:
            request = replace(request, **prices)
        if not size or self._rounds:
            return self._submit_in_lots(request, own_id)
        return self._submit(request, own_id)

    def _check_legs(self, symbol: str, side: Side, prices: Mapping[str, Any]) -> None:
        """Note the prices of a bracket; log what is wrong, unless the results of the run say so."""
        slip = self.misplaced_legs.check(symbol, side, prices, self._book.last.get(symbol))
        if slip is not None and self._direct is None:
            _log.warning("%s", slip)

    def _submit_in_lots(self, request: OrderRequest, own_id: str) -> Ticket:
        """Submit an order rounded down to whole lots, or refuse it if that is zero."""
        symbol, size = request.symbol, request.quantity
        lots = self._rounding.lots(symbol, size)
        if lots:
            return self._submit(replace(request, quantity=lots), own_id)
        if size:
            return self._turn_away(request, own_id, self._rounding.no_lot(symbol, size))
        equity = f"equity is {in_digits(self._equity())}, so fraction= gives no quantity"
        return self._turn_away(request, own_id, ApiError(0, "INSUFFICIENT_FUNDS", equity))

    def _free(self, client_order_id: str) -> str:
        """Return an id that the strategy chose for an order, if it is free.

        Raises:
            ValueError: Another order has it, it is reserved, or it cannot be sent.
        """
        check_text("client_order_id", client_order_id)
        if client_order_id.startswith(self._prefix):
            raise ValueError(
                f"client_order_id {client_order_id!r} begins with {self._prefix!r}, which is "
                "reserved for generated ids; choose another"
            )
        if client_order_id in self._chosen or self._book.has_order(client_order_id):
            raise ValueError(f"client_order_id {client_order_id!r} has been used in this run")
        return client_order_id

    def _submit(self, request: OrderRequest, own_id: str) -> Ticket:
        self._book.expect(request, own_id)
        return self._issue("submit", request.symbol, own_id, request)

    def _turn_away(self, request: OrderRequest, own_id: str, refusal: ApiError) -> Ticket:
        """Issue a refused ticket for an order that is not sent."""
        self._book.expect(request, own_id)
        self._book.refuse(own_id)
        return self._issue_refused("submit", request.symbol, own_id, refusal)

    def modify(
        self,
        order: OrderReference,
        *,
        quantity: Number | None,
        limit: Number | None,
        stop: Number | None,
        trailing: Number | None,
        stop_loss: Number | None,
        take_profit: Number | None,
    ) -> Ticket:
        """See `Strategy.modify`."""
        followed = None if self._compares_changes else self._followed(order)
        if followed is not None:
            key, symbol = followed
            changes = changes_of(quantity, limit, stop, trailing, stop_loss, take_profit)
            send = partial(self._change_by_key, key, changes)
            return self._issue("modify", symbol, key, Amendment(key, changes, send))
        known = self._referred(order)
        changes = changes_of(quantity, limit, stop, trailing, stop_loss, take_profit)
        size = changes.quantity
        if self._rounds:
            changes = self._rounding.changes(known, changes)
        if size is None or changes.quantity:
            return self._modify(known, changes)
        refusal = self._rounding.no_lot(known.symbol, size)
        return self._issue_refused("modify", known.symbol, name_of(known), refusal, known)

    def _modify(self, known: Order, changes: OrderChanges) -> Ticket:
        key, change = name_of(known), partial(self._change, known, changes)
        return self._issue("modify", known.symbol, key, Amendment(key, changes, change), known)

    async def _change_by_key(self, key: str, changes: OrderChanges) -> Order:
        return await self._change(self.order_of(key), changes)

    async def _change(self, known: Order, changes: OrderChanges) -> Order:
        known = self._latest(known)
        answer = await self._venue.modify(known.id, changes)
        if answer.id != known.id:
            self._book.replace_order(known, answer)
            if self._journal is not None:
                self._journal.follow(newly_placed(self._latest(known)))
        return self._book.marked(answer)

    def cancel(self, order: OrderReference) -> Ticket:
        """See `Strategy.cancel`."""
        followed = self._followed(order)
        if followed is not None:
            return self._withdraw(*followed)
        known = self._referred(order)
        send = partial(self._send_cancel, known)
        return self._issue("cancel", known.symbol, name_of(known), send, known)

    def _followed(self, order: OrderReference) -> tuple[str, str] | None:
        """Return key and symbol of an open order while the book follows the venue, else None."""
        if self._book.statement is None:
            return None
        key = _key_of(order)
        symbol = self._book.symbol_of_open(key)
        return None if symbol is None else (key, symbol)

    def _withdraw(self, key: str, symbol: str) -> Ticket:
        """Cancel an order by its key, without reading it, while the book follows the venue."""
        what = Amendment(key, None, partial(self._cancel_by_key, key))
        return self._issue("cancel", symbol, key, what)

    async def _cancel_by_key(self, key: str) -> Order | None:
        return await self._send_cancel(self.order_of(key))

    async def _send_cancel(self, known: Order) -> Order | None:
        latest = self._latest(known)
        if latest.status.is_terminal:
            return None  # it was refused or has ended meanwhile
        try:
            ended = self._book.marked(await self._venue.cancel(latest.id))
            if self._journal is not None and self.is_closed:
                self._journal.withdraw(ended)  # no event is heard any more
            return ended
        except ApiError as refusal:
            found = await self._ended(known) if refusal.status in _MAY_HAVE_ENDED else None
            if found is None:
                raise
            return found

    def _latest(self, known: Order) -> Order:
        """Return the latest known state of an order."""
        return self._known(name_of(known)) or known

    async def _ended(self, known: Order) -> Order | None:
        """Return the venue's state of an order if it has ended, so that a cancel came too late."""
        order_id = self._latest(known).id
        listed = await self._venue.orders(client_order_id=name_of(known))
        found = next((order for order in listed if order.id == order_id), None)
        if found is None:  # it has no id of ours, or the venue does not list ended orders
            found = await self._venue.order(order_id)
        return None if found is None or found.is_open else self._book.marked(found)

    def cancel_all(self, symbol: str | None) -> list[Ticket]:
        """See `Strategy.cancel_all`."""
        if self._book.statement is not None:
            return [self._withdraw(key, name) for key, name in self._book.own_open(symbol)]
        return [self.cancel(order) for order in self.orders(symbol)]

    def close(self, symbol: str, quantity: Number | None) -> Ticket | None:
        """See `Strategy.close`."""
        if self._rounds and quantity is not None and not self._book.nets[symbol].is_flat:
            held, asked = abs(self._book.nets[symbol].quantity), units(quantity)
            lots = self._rounding.lots(symbol, asked)
            quantity = lots if asked < held else max(lots, held)
            if not quantity:
                return None
        tickets = self._close(symbol, quantity)
        return tickets[-1] if tickets else None

    def _close(self, symbol: str, quantity: Number | None) -> list[Ticket]:
        net = self._book.nets[symbol]
        parts = self._book.parts_of(symbol)
        if len(parts) > 1:
            sizes = _sizes_to_close(net, parts, units(quantity))
            return [self._close_part(id_, size, symbol) for id_, size in sizes]
        size = net.quantity
        if not size:
            return []
        if quantity is not None:
            size = (units(quantity) or _ZERO) * (1 if net.is_long else -1)
        # Between the events of a fill the venue's position may still be the one that was reversed.
        held = next((part.id for part in parts if part.signed_quantity * size > 0), None)
        return [self._close_part(held, size, symbol)]

    def _close_part(self, position_id: str | None, size: Decimal, symbol: str) -> Ticket:
        if self._lines is not None:
            loop_of_hooks()
        own_id = self._next_id()
        request = OrderRequest(
            symbol=symbol,
            side=_SELL if size > 0 else _BUY,
            quantity=size if size > 0 else -size,
            order_type=_MARKET,
            position_id=position_id,
            reduce_only=True,
            client_order_id=own_id,
        )
        return self._submit(request, own_id)

    def close_all(self) -> list[Ticket]:
        """See `Strategy.close_all`."""
        return [ticket for symbol in self._book.held for ticket in self._close(symbol, None)]

    async def wind_down(self, *, flatten: bool) -> None:
        """Cancel open orders and, with `flatten`, close positions, after the end of the run.

        No more events are handled, so the venue is asked for both. If it does not answer soon, the
        known orders and positions are used.
        """
        self.overtake()
        if not await _soon(self._find_open()):
            _log.error(
                "on exit: the proxy does not say which orders are open; cancelling those known"
            )
        _log.info("on exit: orders to be cancelled: %d", len(self.cancel_all(None)))
        if flatten:
            await _soon(self.cleared())  # orders may fill before they are cancelled
            if not await _soon(self._find_held()):
                _log.error("on exit: the proxy does not say what is held; closing what is known")
            _log.info("on exit: positions to be closed: %d", len(self.close_all()))
        await self.cleared()

    async def _find_open(self) -> None:
        self._book.see_open(await self._venue.orders())

    async def _find_held(self) -> None:
        self._book.hold(await self._venue.positions())

    def target(
        self,
        symbol: str,
        *,
        quantity: Number | None,
        fraction: Number | None,
        notional: Number | None,
    ) -> Ticket | None:
        """See `Strategy.target`."""
        given = [value for value in (quantity, fraction, notional) if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of quantity, fraction and notional as the target of {symbol}"
            )
        wanted = _ZERO
        if given[0]:
            wanted = size_of(
                symbol,
                _BUY,
                magnitude(quantity),
                fraction=magnitude(fraction),
                notional=magnitude(notional),
                risk=None,
                equity=self._equity,
                prices=_NO_PRICES,
                last=self._book.last,
            )
        if self._rounds:
            wanted = self._rounding.lots(symbol, wanted)
        held, wanted = self._book.position(symbol).quantity, wanted if given[0] > 0 else -wanted
        difference = wanted - held
        if self._rounds and wanted:
            difference = self._rounding.lots(symbol, difference)
        if not difference:
            return None
        if held * difference < 0 and wanted * held >= 0:
            # A reduce-only order, since the position may be closed by the time it fills, and on a
            # hedging account any other order would open another position.
            return self._close(symbol, abs(difference) if wanted else None)[-1]
        if held and self._book.is_hedging and wanted * held < 0:
            self._close(symbol, None)
            difference = wanted
        return self.order(Side.BUY if difference > 0 else Side.SELL, symbol, abs(difference))

    def quit(self, reason: str) -> None:
        """See `Strategy.quit`."""
        if not isinstance(reason, str):
            raise TypeError(f"quit() takes the reason in words, not {reason!r}")
        if self.quit_reason is None and not self.is_closed:
            self.quit_reason = reason
            self.when_quit()

    # Views

    @property
    def now(self) -> datetime:
        """See `Strategy.now`."""
        return self._clock.now

    @property
    def mode(self) -> Mode:
        """See `Strategy.mode`."""
        return self._mode

    def position(self, symbol: str) -> NetPosition:
        """See `Strategy.position`."""
        return self._book.position(symbol)

    @property
    def positions(self) -> list[NetPosition]:
        """See `Strategy.positions`."""
        return self._book.positions

    def orders(self, symbol: str | None, *, external: bool = False) -> list[Order]:
        """See `Strategy.orders`."""
        listed = self._book.orders(symbol, external=external)
        return [o for o in listed if o.id not in self._cancelled] if self._cancelled else listed

    @property
    def risk_state(self) -> RiskState:
        """See `Strategy.risk_state`."""
        return RiskState.HALTED if self.is_closed else RiskState.ACTIVE

    def checking_handlers(self, table: Mapping[type[Any], Handler]) -> dict[type[Any], Handler]:
        """Return handlers that replace those of a table: none for this desk."""
        return {}

    def checked(self, run: CandleRun, candles: Iterator[Candle]) -> Iterable[Iterable[Candle]]:
        """Return the candles of a run in parts: a single one for this desk.

        After an order, the caller leaves a part for the next one, which continues after the current
        candle.
        """
        return (candles,)

    @property
    def account(self) -> AccountView:
        """See `Strategy.account`."""
        return self._book.account

    def last(self, symbol: str) -> float | None:
        """See `Strategy.last`."""
        price = self._book.last.get(symbol)
        if price is None:
            self._book.position(symbol)  # validates the symbol, and records that it was asked for
        return price

    def history(self, symbol: str, count: int) -> list[Candle]:
        """See `Strategy.history`."""
        return self._book.history(symbol, count)

    def every(self, interval: str, function: TimerFunction) -> Timer:
        """See `Strategy.every`."""
        timer = self._timers.every(interval, function)
        self._unfollow_venue()
        return timer

    def at(self, time_of_day: str, function: TimerFunction, tz: tzinfo | str) -> Timer:
        """See `Strategy.at`."""
        timer = self._timers.at(time_of_day, function, tz)
        self._unfollow_venue()
        return timer

    def follow_venue(self, tells: Callable[[int], bool] | None = None) -> None:
        """Follow the venue directly, if it allows that, in place of events that no hook needs.

        Args:
            tells: See `Venue.let_look`.
        """
        if self._book.statement is None:
            statement = self._venue.let_look(self._witness, tells)
            if statement is not None:
                self._book.follow_statement(statement)

    @property
    def _witness(self) -> Witness:
        return self._book

    def _unfollow_venue(self) -> None:
        # Events are needed again, since the new timer may be due at the very next one.
        if self._book.statement is not None:
            self._venue.let_look(None)  # first, as it may still show a change
            self._book.detached()

    def _equity(self) -> Decimal:
        return self._book.equity

    def _referred(self, order: OrderReference) -> Order:
        if isinstance(order, Ticket):
            return self.order_about(order)
        return self.order_of(_key_of(order))


def _key_of(order: OrderReference) -> str:
    """Return the key of an order given by ticket, order or id."""
    if isinstance(order, Ticket):
        return order.client_order_id
    if isinstance(order, Order):
        return name_of(order)
    if not isinstance(order, str):
        raise TypeError(
            f"name an order by its ticket, itself or its id, not by {order!r} (close() returns "
            "None if nothing is held)"
        )
    return order


async def _soon(work: Awaitable[None]) -> bool:
    """Await something for a moment; return False if it fails or takes longer."""
    with suppress(StrategyRuntimeError, TimeoutError):
        async with asyncio.timeout(_SOON_S):
            await work
        return True
    return False


def _nothing() -> None:
    """Ignore that the strategy quits before `when_quit` is replaced."""


def _sizes_to_close(
    net: NetPosition, parts: Sequence[Part], quantity: Decimal | None
) -> list[tuple[str, Decimal]]:
    """Return what to close of each of several positions in a symbol, the oldest first.

    Without a quantity that is all of them, otherwise so many units of the larger side.
    """
    if quantity is None:
        return [(part.id, part.signed_quantity) for part in parts]
    if net.is_flat:
        raise ValueError(
            f"{net.symbol} is held long and short in equal size, so a quantity could come from "
            f"either side: close({net.symbol!r}) closes both"
        )
    sizes: list[tuple[str, Decimal]] = []
    for part in parts:
        held = abs(part.signed_quantity)
        if quantity > 0 and (part.signed_quantity > 0) is net.is_long:
            sizes.append((part.id, min(held, quantity).copy_sign(part.signed_quantity)))
            quantity -= held
    return sizes
