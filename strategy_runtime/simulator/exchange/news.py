"""How others learn of changes: by events in the outbox, or by looking for themselves.

Where nobody wants the events, a witness is shown what changed instead and no copies are made; they
are counted all the same, so that the result of a run does not depend on who listened.
"""

from collections.abc import Callable

from strategy_runtime.protocol.enums import (
    AccountEventKind,
    OrderEventKind,
    PositionEventKind,
)
from strategy_runtime.protocol.events import (
    AccountEvent,
    Event,
    OrderEvent,
    PositionEvent,
    ProxyErrorEvent,
    TradeEvent,
)
from strategy_runtime.protocol.models import Account
from strategy_runtime.protocol.witness import Witness
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.ledger import Booking, Holding
from strategy_runtime.simulator.market import Phase
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder, RestingOrder
from strategy_runtime.simulator.outcome import Fill
from strategy_runtime.simulator.valuation import Valuation

__all__ = ["News"]

_FILLED = OrderEventKind.ORDER_FILLED


class Commanded:
    """The context of a command.

    Attributes:
        is_on: Whether a command is under way.
    """

    __slots__ = ("is_on",)

    def __init__(self) -> None:
        self.is_on = False

    def __enter__(self) -> None:
        self.is_on = True

    def __exit__(self, *error: object) -> None:
        self.is_on = False


class News:
    """Tells of what has changed.

    Attributes:
        witness: Who looks on, so that no events are made.
        commanded: The context in which a command changes orders: a witness is shown these changes
            later, at the moment at which their events would have been delivered.
        untold: Orders that commands have changed, and how, of which no witness knows yet.
    """

    __slots__ = (
        "_is_valued_later",
        "_state",
        "_tells",
        "_told",
        "_told_at",
        "commanded",
        "untold",
        "witness",
    )

    def __init__(self, state: State) -> None:
        self._state = state
        self.witness: Witness | None = None
        self._tells: Callable[[int], bool] | None = None
        self.commanded = Commanded()
        self.untold: list[tuple[KeptOrder, OrderEventKind]] = []
        self._told: Account | None = None
        """The account as it was last told of; None before that, and where it is to be worked out
        from the prices of `_told_at` once somebody asks."""
        self._told_at = 0, Phase.START
        self._is_valued_later = False
        """Whether bars alone move prices, so that those of an instant can be looked up later."""

    # Who looks on

    def let_look(self, witness: Witness | None, tells: Callable[[int], bool] | None) -> None:
        """See `Exchange.let_look`."""
        state = self._state
        if self.witness is not None:
            self._told = self.told_account()
        elif self._told is None:
            self._told = state.account()
        self.witness, self._tells = witness, tells
        for order, kind in self.untold:
            state.outbox.append(self._order_event(order, kind))
        self.untold.clear()
        self._is_valued_later = not state.splits and all(
            instrument.quotes is None for instrument in state.instruments.values()
        )

    def value_at_once(self) -> None:
        """From now on have the account valued at each change: quotes move prices, too."""
        self._is_valued_later = False

    def is_to_tell_at(self, instant_ns: int) -> bool:
        """Whether somebody might look between two things that happen at an instant."""
        return self.witness is not None and self._tells is not None and self._tells(instant_ns)

    def tell_from_here(self) -> None:
        """Have events made from here on, if there may ever be a need of them."""
        if self.witness is not None and self._tells is not None:
            self.witness.look_away()
            self.let_look(None, None)

    def show(self) -> None:
        """Show what commands have changed, now that it is the turn of their events."""
        for order, _ in self.untold:
            order.tell()
            if self.witness is not None:
                self.witness.see_order(order)
        self.untold.clear()

    # What there is to tell

    def emit(self, event: Event) -> None:
        """Put an event into the outbox."""
        state = self._state
        state.emitted += 1
        state.outbox.append(event)

    def warn(self, code: str, text: str) -> None:
        """Say something loud, to the strategy at once and in the result."""
        now = self._state.now
        self._state.warnings.append(f"{now:%Y-%m-%d %H:%M} {text}")
        self.emit(ProxyErrorEvent(code=code, message=text, timestamp=now))

    def keep_told(self, order: RestingOrder) -> None:
        """Keep what a witness knows of an order that is about to change, until it is shown that."""
        if self.witness is not None and self.commanded.is_on:
            order.keep_told()

    def tell_order(self, order: RestingOrder, kind: OrderEventKind) -> None:
        """Something happened to an order other than an execution."""
        witness = self.witness
        if witness is None:
            self.emit(self._order_event(order, kind))
            return
        self._state.emitted += 1
        if self.commanded.is_on:
            self.untold.append((order, kind))
        else:
            order.tell()
            witness.see_order(order)

    def tell_plain(self, order: PlainOrder) -> None:
        """A plain order was accepted; a witness is shown it when it meets the next open or bar."""
        state = self._state
        state.emitted += 1
        if self.witness is None:
            state.outbox.append(self._order_event(order, OrderEventKind.ORDER_CREATED))

    def tell_fill(self, fill: Fill, order: KeptOrder, booking: Booking) -> None:
        """The set of one execution: its order, the trade, the account, then the positions."""
        closed, current, has_opened, _ = booking
        witness, state = self.witness, self._state
        if witness is not None:
            state.emitted += 4 if closed is None or current is None else 5
            self._note_account()
            witness.see_fill(order, fill, state.ledger.of(fill.symbol))
            return
        kind = _FILLED if order.is_over else OrderEventKind.ORDER_PARTIALLY_FILLED
        self.emit(self._order_event(order, kind))
        self.emit(TradeEvent(trade=state.trade_of(fill), timestamp=state.now))
        self.tell_account()
        if closed is not None:
            self._emit_position(closed, PositionEventKind.POSITION_CLOSED)
        if current is not None:
            self._emit_position(
                current,
                PositionEventKind.POSITION_OPENED
                if has_opened
                else PositionEventKind.POSITION_MODIFIED,
            )

    def tell_account(self, kind: AccountEventKind = AccountEventKind.BALANCE_UPDATED) -> None:
        """Something happened to the account."""
        state = self._state
        if self.witness is None:
            self._told = state.account()
            self.emit(AccountEvent(event=kind, account=self._told, timestamp=state.now))
        else:
            state.emitted += 1
            self._note_account()
            self.witness.see_account()

    def tell_position(self, holding: Holding) -> None:
        """A position changed without an execution."""
        state = self._state
        if self.witness is None:
            self._emit_position(holding, PositionEventKind.POSITION_MODIFIED)
        else:
            state.emitted += 1
            self.witness.see_position(holding.symbol, state.ledger.of(holding.symbol))

    def told_account(self) -> Account:
        """The account as its last event would have it."""
        told = self._told
        if told is None:
            now_ns, phase = self._told_at
            instruments = self._state.instruments
            valuation = Valuation(
                self._state.ledger.holdings,
                lambda symbol: instruments[symbol].mark_at(now_ns, phase),
            )
            told = self._told = self._state.account_of(valuation)
        return told

    def _note_account(self) -> None:
        """Have the account be valued as of now when somebody asks, or now where it must be."""
        state = self._state
        if state.is_at_risk or not self._is_valued_later:
            self._told = state.account()
        else:
            self._told, self._told_at = None, (state.now_ns, state.phase)

    def _order_event(self, order: KeptOrder, kind: OrderEventKind) -> OrderEvent:
        return OrderEvent(
            event=kind,
            order=order.snapshot(),
            parent_order_id=None if isinstance(order, PlainOrder) else order.parent_id,
            timestamp=self._state.now,
        )

    def _emit_position(self, holding: Holding, kind: PositionEventKind) -> None:
        position = self._state.position_of(holding)
        self.emit(PositionEvent(event=kind, position=position, timestamp=self._state.now))
