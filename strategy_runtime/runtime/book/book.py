"""What the runtime believes about orders, positions and the account.

Every event updates the book before the strategy's hook sees it. Order states only move forward:
late and repeated events change nothing. A fill is booked once, whether the event of the order or
that of the trade comes first.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from numbers import Integral
from typing import Any

from msgspec.structs import replace

from strategy_runtime.protocol.enums import OrderEventKind, PositionEventKind, PositionSide
from strategy_runtime.protocol.events import AccountEvent, OrderEvent, PositionEvent, TradeEvent
from strategy_runtime.protocol.models import Account, Candle, Order, Position, Trade
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.protocol.witness import Followed, Part, ShownFill, Statement
from strategy_runtime.runtime.book.known_orders import KnownOrders
from strategy_runtime.runtime.book.nets import Nets
from strategy_runtime.runtime.book.order_states import is_behind, name_of, price_of_last_fill
from strategy_runtime.strategy.views import AccountView, NetPosition

__all__ = ["Book"]

_ZERO = Decimal(0)
_PARTLY_FILLED = OrderEventKind.ORDER_PARTIALLY_FILLED
# Ten times what a venue is asked to list, so executions in a list are recognised.
_MOST_TRADES = 10_000
_RECENT_TRADES = 100


class Book(KnownOrders):
    """Orders, positions, account and last prices, from events, a snapshot or a statement.

    Args:
        lookback: Number of candles kept of a symbol.
        own_prefix, most_ended: See `KnownOrders`, also for further attributes.

    Attributes:
        last: Last price by symbol.
        nets: Net position by symbol, flat ones included.
        keep: Adds a candle to the history; None if no history is kept.
        is_contradicted: A position differed from the sum of its fills, so an event was missed.
            Reset by whoever has asked the venue.
        moved: Symbols with fills since the last snapshot; None if that was so long ago that
            nothing older than the snapshot can still arrive.
        recent_trades: The last executions.
        unlisted_trades: Number of executions since the venue's list last showed no unknown one.
        anomalies: What contradicts the order states, as text, for the runtime to report and clear.
        is_hedging: Each entry opens a position of its own, whatever else is held in its symbol.
        books_profits: The event of the account is known to follow those of a fill. Until it comes,
            the realised profit and the fee of the fill are added to the balance.
        positions_may_lead: The event of a position may come before that of the fill behind it.
    """

    def __init__(
        self, lookback: int = 0, own_prefix: str = "", most_ended: int | None = None
    ) -> None:
        super().__init__(own_prefix, most_ended)
        self.last: dict[str, float] = {}
        self.nets = Nets(self.last)
        self.is_contradicted = False
        self.moved: set[str] | None = None
        self.recent_trades: deque[Trade] = deque(maxlen=_RECENT_TRADES)
        self.unlisted_trades = 0
        self.anomalies: list[str] = []
        self.is_hedging = False
        self.books_profits = False
        self.positions_may_lead = False
        self._unbooked = _ZERO
        self._lookback = lookback
        self.keep = self._keep if lookback else None
        self._candles: dict[str, deque[Candle]] = {}
        self._booked: dict[str, Decimal] = {}
        self._traded: dict[str, Decimal] = {}
        self._unheard: dict[str, None] = {}
        """Ids of orders of which only executions came, as some venues tell of others' orders."""
        self._trades: set[str] = set()
        self._older_trades: set[str] = set()
        self._positions: dict[str, dict[str, Position]] = {}
        self._ahead: dict[str, tuple[Decimal, datetime]] = {}
        """Quantity by which events of positions are ahead of those of fills, and as of when."""
        self._account = Account(balance=_ZERO, equity=_ZERO)

    # Market

    def _keep(self, candle: Candle) -> None:
        kept = self._candles.get(candle.symbol)
        if kept is None:
            kept = self._candles[candle.symbol] = deque(maxlen=self._lookback)
        kept.append(candle)

    def history(self, symbol: str, count: int) -> list[Candle]:
        """Return the last candles, oldest first."""
        if type(count) is not int or count < 0:
            count = _whole(count)
        if count > self._lookback:
            raise ValueError(
                f"history({symbol!r}, {count}) reaches further back than the strategy keeps; set "
                f"`lookback: ClassVar[int] = {count}` on the class"
            )
        if symbol not in self._candles:
            self.position(symbol)  # validates the symbol, and records that it was asked for
            return []
        kept = self._candles[symbol]
        if count >= len(kept):
            return list(kept)
        last = list(islice(reversed(kept), count))
        last.reverse()
        return last

    # Snapshots

    def load(
        self,
        account: Account,
        positions: Iterable[Position],
        orders: Iterable[Order],
        trades: Iterable[Trade] = (),
    ) -> None:
        """Load what the venue reports before the stream starts.

        Its positions already include the fills of its orders, so no event books these again.
        """
        self._account = account
        self.hold(positions)
        for order in orders:
            self._store(self._key(order), self.marked(order))
            self._booked[order.id] = self._traded[order.id] = order.filled_quantity
        for trade in trades:
            self._note_trade(trade)

    def hold(self, positions: Iterable[Position]) -> None:
        """Replace all positions by those of the venue."""
        self._positions.clear()
        for position in positions:
            self._positions.setdefault(position.symbol, {})[position.id] = position
        for symbol in (*self.nets, *self._positions):
            self.nets.renew(symbol, self.parts_of(symbol))

    # Orders and executions

    def apply_order(self, event: OrderEvent) -> bool:
        """Update an order; return False if the event is late or a duplicate."""
        order = event.order
        key = self._key(order)
        known = self._read(key)
        if (
            known is not None
            and known.id != order.id
            and (known.id != key or known.status.is_terminal)
        ):
            self._make_way(key, known)  # the venue uses its id for another order
            known = None
        # The answer to a submission may be ahead of the first event, and a snapshot is the latest.
        may_step_back = event.synthetic or self.awaits_first_event(key)
        if known is not None and is_behind(order, known, may_step_back=may_step_back):
            if not (known.status.is_terminal and order.filled_quantity > known.filled_quantity):
                return False
            self._note_late_fill(known)
        elif event.event is _PARTLY_FILLED and order == known:
            return False
        self._store(key, order)
        delta = order.filled_quantity - self._booked.get(order.id, _ZERO)
        if delta > 0:
            self._booked[order.id] = order.filled_quantity
            price = price_of_last_fill(known, order, delta)
            signed = delta * order.side.sign
            self._move(order.symbol, signed, price, order.position_id, order.updated_at)
        return True

    def marked_trade(self, event: TradeEvent) -> TradeEvent:
        """Return the event of an execution marked as of an order of ours or of an external one."""
        trade, order = event.trade, self.order(event.trade.order_id)
        external = order is not None and order.external
        if trade.external is external:
            return event
        return replace(event, trade=replace(trade, external=external))

    def apply_trade(self, event: TradeEvent) -> bool:
        """Book an execution unless its order's event did; return False for a duplicate."""
        trade = event.trade
        if self.has_trade(trade.id):
            return False
        self._note_trade(trade)
        self.unlisted_trades += 1
        traded = self._traded.get(trade.order_id, _ZERO) + trade.quantity
        self._traded[trade.order_id] = traded
        if self._most_ended is not None and self.order(trade.order_id) is None:
            self._note_unheard(trade.order_id, self._most_ended)
        delta = traded - self._booked.get(trade.order_id, _ZERO)
        if delta > 0:
            order = self.order(trade.order_id)
            if order is not None and order.status.is_terminal:
                self._note_late_fill(order)
            self._booked[trade.order_id] = traded
            signed = delta * trade.side.sign
            self._move(trade.symbol, signed, trade.price, trade.position_id, trade.timestamp)
        if self.books_profits:
            self._unbooked -= trade.commission
        return True

    def _move(
        self,
        symbol: str,
        signed: Decimal,
        price: Decimal | None,
        position_id: str | None,
        at: datetime | None,
    ) -> None:
        """Apply a fill to the position, unless the venue's position already includes it.

        Args:
            price: None if unknown; the last price is used instead.
        """
        if self._is_in_position(symbol, signed, at):
            return
        if price is None:
            price = decimal_of(self.last[symbol]) if symbol in self.last else _ZERO
        gained, part = _ZERO, self._positions.get(symbol, {}).get(position_id or "")
        if not self.is_hedging:
            gained = self.nets.move(symbol, signed, price)
        elif part is None or part.signed_quantity * signed > 0:
            self.nets.open_apart(symbol, signed, price)
        else:
            gained = self.nets.reduce(symbol, signed, price, part.average_entry_price)
        if self.books_profits:
            self._unbooked += gained
        if self.moved is not None:
            self.moved.add(symbol)

    def _is_in_position(self, symbol: str, signed: Decimal, at: datetime | None) -> bool:
        """Whether an event of the position that came earlier already includes a fill."""
        if symbol not in self._ahead:
            return False
        ahead, as_of = self._ahead.pop(symbol)
        if at is None or at > as_of or signed * ahead <= 0 or abs(signed) > abs(ahead):
            return False
        if signed != ahead:
            self._ahead[symbol] = ahead - signed, as_of
        return True

    def _forget(self, key: str, order: Order | Followed) -> None:
        super()._forget(key, order)
        self._booked.pop(order.id, None)
        self._traded.pop(order.id, None)

    def _note_unheard(self, order_id: str, most: int) -> None:
        """Note that only executions of an order came; forget the oldest of too many such orders."""
        self._unheard[order_id] = None
        if len(self._unheard) > most:
            oldest = next(iter(self._unheard))
            del self._unheard[oldest]
            if self.order(oldest) is None:
                self._booked.pop(oldest, None)
                self._traded.pop(oldest, None)

    def _note_late_fill(self, order: Order) -> None:
        self.anomalies.append(
            f"{order.symbol} {name_of(order)} was {order.status} and has been "
            "filled all the same; the fill is booked"
        )

    def has_trade(self, trade_id: str) -> bool:
        """Whether an execution is known; at least the last ten thousand are remembered."""
        return trade_id in self._trades or trade_id in self._older_trades

    def forget_fills(self) -> None:
        """Forget executions, since a restarted venue may use their ids again for others."""
        for heard in (self._trades, self._older_trades, self.recent_trades):
            heard.clear()
        is_open = {order.id for order in self.orders()}
        for filled in (self._booked, self._traded):
            for order_id in filled.keys() - is_open:
                del filled[order_id]

    def _note_trade(self, trade: Trade) -> None:
        if len(self._trades) >= _MOST_TRADES:
            self._older_trades, self._trades = self._trades, set()
        self._trades.add(trade.id)
        self.recent_trades.append(trade)

    # Positions and account

    def apply_position(self, event: PositionEvent) -> bool:
        """Apply the venue's state of a position; return False if it is out of date.

        After a snapshot, an event that contradicts it is out of date, until the symbol has a fill
        that is newer than the snapshot.
        """
        position = event.position
        if (
            self.moved is not None
            and not event.synthetic
            and position.symbol not in self.moved
            and not self._is_known(position)
        ):
            self.is_contradicted = True
            return False
        parts, net = self._positions.setdefault(position.symbol, {}), self.nets[position.symbol]
        known, filled = parts.get(position.id), net.quantity
        if position.quantity:
            parts[position.id] = position  # keeps its place in the order of age
            if not self.is_hedging and len(parts) > 1 and position.signed_quantity == filled:
                return True  # the only one; the events that close the others are still to come
        else:
            parts.pop(position.id, None)
            if known is not None and not parts and known.signed_quantity * filled < 0:
                return True  # a fill has reversed it; the event of the new one is still to come
        self.nets.renew(position.symbol, self.parts_of(position.symbol))
        if net.quantity != filled:
            self.is_contradicted = True
            if self.positions_may_lead and position.updated_at and not event.synthetic:
                before, _ = self._ahead.get(position.symbol, (_ZERO, None))
                moved = before + net.quantity - filled
                self._ahead[position.symbol] = moved, position.updated_at
        return True

    def named(self, event: PositionEvent) -> PositionEvent:
        """Return the event with the right kind: opened, modified or closed.

        Some venues report every change as modified. Call it before the event is applied.
        """
        position = event.position
        if not position.quantity:
            kind = PositionEventKind.POSITION_CLOSED
        elif position.id in self._positions.get(position.symbol, ()):
            kind = PositionEventKind.POSITION_MODIFIED
        else:
            kind = PositionEventKind.POSITION_OPENED
        return event if event.event is kind else replace(event, event=kind)

    def _is_known(self, position: Position) -> bool:
        known = self._positions.get(position.symbol, {}).get(position.id)
        held = _ZERO if known is None else known.signed_quantity
        return held == position.signed_quantity

    def apply_account(self, event: AccountEvent) -> None:
        """Apply the venue's state of the account."""
        self._account, self._unbooked = event.account, _ZERO

    def position(self, symbol: str) -> NetPosition:
        """Return the net position in a symbol, the same object every time."""
        return self.nets[symbol]

    @property
    def held(self) -> list[str]:
        """Symbols with a position, even if another one offsets it, oldest first."""
        return [
            symbol
            for symbol, net in self.nets.held.items()
            if net.quantity or self.parts_of(symbol)
        ]

    @property
    def positions(self) -> list[NetPosition]:
        """Positions that are not flat, oldest first."""
        return [net for net in self.nets.held.values() if net.quantity]

    @property
    def account(self) -> AccountView:
        """The account at the last prices."""
        known = self._account if self.statement is None else self.statement.announced_account()
        return AccountView(
            known.balance + self._unbooked,
            self.nets.unrealized_pnl,
            known.margin_used,
            known.margin_available,
            known.currency,
        )

    @property
    def equity(self) -> Decimal:
        """Account value at the last prices."""
        statement = self.statement
        balance = self._account.balance if statement is None else statement.balance
        return balance + self._unbooked + self.nets.unrealized_pnl

    @property
    def is_inconsistent(self) -> bool:
        """Whether fills and positions contradict each other, or did since the venue was asked."""
        return self.is_contradicted or any(
            net.quantity != sum((part.signed_quantity for part in self.parts_of(symbol)), _ZERO)
            for symbol, net in self.nets.items()
        )

    def parts_of(self, symbol: str) -> Sequence[Part]:
        """Return the venue's open positions in a symbol; several if the account is hedging."""
        if self.statement is not None:
            return self.statement.parts_of(symbol)
        return list(self._positions.get(symbol, {}).values())

    # Following a venue in process instead of its events

    def follow_statement(self, statement: Statement) -> None:
        """Read account and positions from a statement from now on."""
        self.statement = self._directory = statement
        self._unbooked = _ZERO

    def see_order(self, order: Followed) -> None:
        """Follow an order that was accepted or changed, or has ended."""
        self._follow(order.name, order)

    def see_fill(self, order: Followed, fill: ShownFill, parts: Sequence[Part]) -> None:
        """Follow an order that was executed, and the positions that result."""
        own_id = fill.client_order_id
        if own_id is not None and order.is_over:
            if self._open_in is None and not self._listed:  # the usual case
                self._open.pop(own_id, None)
            else:
                self._leave(own_id)
        else:
            self._follow(order.name, order)
        self.nets.renew(fill.symbol, parts)

    def see_position(self, symbol: str, parts: Sequence[Part]) -> None:
        """Follow a position that changed without an execution."""
        self.nets.renew(symbol, parts)

    def see_account(self) -> None:
        """Do nothing: the account is read from the statement."""

    def detached(self) -> None:
        """Copy the current state: from now on, changes come as events."""
        for key in self._open:
            order = self._read(key)
            if order is not None:
                self._open[key] = order
                self._keys[order.id] = key
                self._booked[order.id] = self._traded[order.id] = order.filled_quantity
        for symbol in self.nets:
            self._positions[symbol] = {
                part.id: Position(
                    id=part.id,
                    symbol=symbol,
                    side=PositionSide.SHORT if part.signed_quantity < 0 else PositionSide.LONG,
                    quantity=abs(part.signed_quantity),
                    average_entry_price=part.average_entry_price,
                    realized_pnl=part.realized_pnl,
                )
                for part in self.parts_of(symbol)
            }
        if self.statement is not None:
            self._account, self.statement = self.statement.announced_account(), None


def _whole(count: Any) -> int:
    """Return a number of candles as an int.

    Raises:
        ValueError: It is not a whole number, 0 or more.
    """
    if isinstance(count, bool) or not isinstance(count, Integral) or count < 0:
        raise ValueError(f"history() takes a whole number of candles, 0 or more, not {count!r}")
    return int(count)
