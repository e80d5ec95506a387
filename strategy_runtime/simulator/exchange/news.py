"""Announces changes: as events in the outbox, or by showing them to a witness.

If nobody wants the events, a witness is shown what changed instead and no copies are made. The
events are counted all the same, so that the result of a run does not depend on who listened.
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


class CommandContext:
    """The context manager around a command.

    Attributes:
        is_on: Whether a command is running.
    """

    __slots__ = ("is_on",)

    def __init__(self) -> None:
        self.is_on = False

    def __enter__(self) -> None:
        self.is_on = True

    def __exit__(self, *error: object) -> None:
        self.is_on = False


class News:
    """Announces what has changed.

    Attributes:
        witness: Is shown changes, so that no events are emitted; None for events.
        command: The context in which a command accepts or changes orders: a witness is shown these
            changes later, when their events would have been delivered. A cancel is shown at once,
            since the strategy has its answer.
        pending: Orders that commands have changed, and how, not yet shown to the witness.
    """

    __slots__ = (
        "_announced",
        "_announced_at",
        "_is_valued_later",
        "_state",
        "_tells",
        "command",
        "pending",
        "witness",
    )

    def __init__(self, state: State) -> None:
        self._state = state
        self.witness: Witness | None = None
        self._tells: Callable[[int], bool] | None = None
        self.command = CommandContext()
        self.pending: list[tuple[KeptOrder, OrderEventKind]] = []
        self._announced: Account | None = None
        """The account as last announced; None before that, or if it is valued only when requested,
        at the prices of `_announced_at`."""
        self._announced_at = 0, Phase.START
        self._is_valued_later = False
        """Whether only bars move prices, so that those of an instant can be looked up later."""

    # The witness

    def let_look(self, witness: Witness | None, tells: Callable[[int], bool] | None) -> None:
        """See `Exchange.let_look`."""
        state = self._state
        if self.witness is not None:
            self._announced = self.announced_account()
        elif self._announced is None:
            self._announced = state.account()
        self.witness, self._tells = witness, tells
        for order, kind in self.pending:
            state.outbox.append(self._order_event(order, kind))
        self.pending.clear()
        self._is_valued_later = not state.splits and all(
            instrument.quotes is None for instrument in state.instruments.values()
        )

    def value_at_once(self) -> None:
        """Value the account at each change from now on, because quotes move prices too."""
        self._is_valued_later = False

    def needs_events_at(self, instant_ns: int) -> bool:
        """Return whether changes at an instant must be announced one by one, as events."""
        return self.witness is not None and self._tells is not None and self._tells(instant_ns)

    def resume_events(self) -> None:
        """Emit events from now on, if anybody may ever need them."""
        if self.witness is not None and self._tells is not None:
            self.witness.detached()
            self.let_look(None, None)

    def show_pending(self) -> None:
        """Show what commands have changed, when their events would be delivered."""
        for order, _ in self.pending:
            order.mark_announced()
            if self.witness is not None:
                self.witness.see_order(order)
        self.pending.clear()

    # Announcements

    def emit(self, event: Event) -> None:
        """Put an event into the outbox."""
        state = self._state
        state.emitted += 1
        state.outbox.append(event)

    def warn(self, code: str, text: str) -> None:
        """Warn the strategy at once, and repeat the warning in the result."""
        now = self._state.now
        self._state.warnings.append(f"{now:%Y-%m-%d %H:%M} {text}")
        self.emit(ProxyErrorEvent(code=code, message=text, timestamp=now))

    def keep_announced(self, order: RestingOrder) -> None:
        """Keep an order as last announced, before a command changes it, until that is shown."""
        if self.witness is not None and self.command.is_on:
            order.keep_announced()

    def announce_order(self, order: RestingOrder, kind: OrderEventKind) -> None:
        """Announce a change of an order other than an execution."""
        witness = self.witness
        if witness is None:
            self.emit(self._order_event(order, kind))
            return
        self._state.emitted += 1
        if self.command.is_on:
            self.pending.append((order, kind))
        else:
            order.mark_announced()
            witness.see_order(order)

    def announce_plain(self, order: PlainOrder) -> None:
        """Announce an accepted plain order; a witness is shown it at the next open or bar."""
        state = self._state
        state.emitted += 1
        if self.witness is None:
            state.outbox.append(self._order_event(order, OrderEventKind.ORDER_CREATED))

    def announce_fill(self, fill: Fill, order: KeptOrder, booking: Booking) -> None:
        """Announce one execution: its order, the trade, the account, then the positions."""
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
        self.announce_account()
        if closed is not None:
            self._emit_position(closed, PositionEventKind.POSITION_CLOSED)
        if current is not None:
            self._emit_position(
                current,
                PositionEventKind.POSITION_OPENED
                if has_opened
                else PositionEventKind.POSITION_MODIFIED,
            )

    def announce_account(self, kind: AccountEventKind = AccountEventKind.BALANCE_UPDATED) -> None:
        """Announce a change of the account."""
        state = self._state
        if self.witness is None:
            self._announced = state.account()
            self.emit(AccountEvent(event=kind, account=self._announced, timestamp=state.now))
        else:
            state.emitted += 1
            self._note_account()
            self.witness.see_account()

    def announce_position(self, holding: Holding) -> None:
        """Announce a change of a position without an execution."""
        state = self._state
        if self.witness is None:
            self._emit_position(holding, PositionEventKind.POSITION_MODIFIED)
        else:
            state.emitted += 1
            self.witness.see_position(holding.symbol, state.ledger.of(holding.symbol))

    def announced_account(self) -> Account:
        """Return the account as last announced."""
        account = self._announced
        if account is None:
            now_ns, phase = self._announced_at
            instruments, holdings = self._state.instruments, self._state.ledger.holdings
            # Once for each symbol, as a hedging account may have many positions in one.
            symbols = {holding.symbol for holding in holdings.values()}
            marks = {symbol: instruments[symbol].mark_at(now_ns, phase) for symbol in symbols}
            valuation = Valuation(holdings, marks.__getitem__)
            account = self._announced = self._state.account_of(valuation)
        return account

    def _note_account(self) -> None:
        """Value the account as of now: on request if prices can be looked up, else at once."""
        state = self._state
        if state.is_at_risk or not self._is_valued_later:
            self._announced = state.account()
        else:
            self._announced, self._announced_at = None, (state.now_ns, state.phase)

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
