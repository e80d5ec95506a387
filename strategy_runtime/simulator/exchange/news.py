"""How others learn of changes: by events in the outbox, or by looking for themselves.

Where nobody wants the events, a witness is shown what changed instead and no copies are made; they
are counted all the same, so that the result of a run does not depend on who listened.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

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
    TradeEvent,
)
from strategy_runtime.protocol.models import Account
from strategy_runtime.protocol.witness import Witness
from strategy_runtime.simulator.exchange.answers import Answers
from strategy_runtime.simulator.ledger import Booking, Holding
from strategy_runtime.simulator.market import Phase
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder, RestingOrder
from strategy_runtime.simulator.outcome import Fill

__all__ = ["Telling"]

_FILLED = OrderEventKind.ORDER_FILLED


class Telling(Answers):
    """The state of the exchange, and the ways its changes become known."""

    __slots__ = (
        "_has_told_account",
        "_is_commanded",
        "_is_valued_later",
        "_tells",
        "_told",
        "_told_at",
        "_witness",
    )

    def _furnish(self) -> None:
        super()._furnish()
        self._witness: Witness | None = None
        self._tells: Callable[[int], bool] | None = None
        self._is_commanded = False
        """Whether it is a command that changes orders: its events wait for their turn."""
        self._has_told_account = False
        self._told: Account | None = None
        self._told_at = 0, Phase.START
        self._is_valued_later = False
        """Whether bars alone move prices, so that what stood at an instant can be found out later.
        """

    def let_look(self, witness: Witness | None, tells: Callable[[int], bool] | None = None) -> None:
        """From now on show a witness what changes, in place of events; None makes events again.

        To be called while there are no events of changes under way.

        Args:
            tells: At which instants events have to be made of what happens.
        """
        self.catch_up()
        if not self._has_told_account:
            self._has_told_account, self._told = True, self.account()
        elif self._witness is not None:
            self._told = self.told_account()
        self._witness, self._tells = witness, tells
        for order, kind in self._untold:
            self.outbox.append(self._order_event(order, kind))
        self._untold.clear()
        self._is_valued_later = not self._splits and all(
            instrument.quotes is None for instrument in self._instruments.values()
        )

    def _tells_at(self, instant_ns: int) -> bool:
        """Have events made from here on where somebody might look between two things that happen
        at an instant; False where nothing is to change.
        """
        if self._witness is None or self._tells is None or not self._tells(instant_ns):
            return False
        self._tell_from_here()
        return True

    def _tell_from_here(self) -> None:
        """Have events made from here on, if there may ever be a need of them."""
        if self._witness is not None and self._tells is not None:
            self._witness.look_away()
            self.let_look(None)

    @property
    def balance(self) -> Decimal:
        """Starting cash and realised profit less fees and interest."""
        return self._ledger.balance

    def told_account(self) -> Account:
        """The account as its last event would have it."""
        told = self._told
        if told is None:
            now_ns, phase = self._told_at
            instruments = self._instruments
            told = self._told = self._account_at(
                lambda symbol: instruments[symbol].mark_at(now_ns, phase)
            )
        return told

    def accepted(self, client_order_id: str) -> KeptOrder | None:
        """An order by the client's id; None where it has not been accepted."""
        return self._by_client_id.get(client_order_id)

    def parts_of(self, symbol: str) -> Sequence[Holding]:
        """The open positions in a symbol, the longest-standing first."""
        return self._ledger.of(symbol)

    def _emit(self, event: Event) -> None:
        self.emitted += 1
        self.outbox.append(event)

    def _tell_order(self, order: RestingOrder, kind: OrderEventKind) -> None:
        witness = self._witness
        if witness is None:
            self._emit(self._order_event(order, kind))
            return
        self.emitted += 1
        if self._is_commanded:
            self._untold.append((order, kind))
        else:
            order.tell()
            witness.see_order(order)

    def _order_event(self, order: KeptOrder, kind: OrderEventKind) -> OrderEvent:
        return OrderEvent(
            event=kind,
            order=order.snapshot(),
            parent_order_id=None if isinstance(order, PlainOrder) else order.parent_id,
            timestamp=self.now,
        )

    def _show(self) -> None:
        """Show what commands have changed, now that it is the turn of their events."""
        for order, _ in self._untold:
            order.tell()
            if self._witness is not None:
                self._witness.see_order(order)
        self._untold.clear()

    def _tell_fill(self, fill: Fill, order: KeptOrder, booking: Booking) -> None:
        """The set of one execution: its order, the trade, the account, then the positions."""
        closed, current, has_opened, _ = booking
        witness = self._witness
        if witness is not None:
            self.emitted += 4 if closed is None or current is None else 5
            self._note_account()
            witness.see_fill(order, fill, self._ledger.of(fill.symbol))
            return
        kind = _FILLED if order.is_over else OrderEventKind.ORDER_PARTIALLY_FILLED
        self._emit(self._order_event(order, kind))
        self._emit(TradeEvent(trade=self._trade_of(fill), timestamp=self.now))
        self._tell_account()
        if closed is not None:
            self._emit_position(closed, PositionEventKind.POSITION_CLOSED)
        if current is not None:
            self._emit_position(
                current,
                PositionEventKind.POSITION_OPENED
                if has_opened
                else PositionEventKind.POSITION_MODIFIED,
            )

    def _tell_account(self, kind: AccountEventKind = AccountEventKind.BALANCE_UPDATED) -> None:
        if self._witness is None:
            self._has_told_account, self._told = True, self.account()
            self._emit(AccountEvent(event=kind, account=self._told, timestamp=self.now))
        else:
            self.emitted += 1
            self._note_account()
            self._witness.see_account()

    def _note_account(self) -> None:
        """Have the account be valued as of now when somebody asks, or now where it must be."""
        if self._is_at_risk or not self._is_valued_later:
            self._told = self.account()
        else:
            self._told, self._told_at = None, (self.now_ns, self.phase)

    def _tell_position(self, holding: Holding) -> None:
        if self._witness is None:
            self._emit_position(holding, PositionEventKind.POSITION_MODIFIED)
        else:
            self.emitted += 1
            self._witness.see_position(holding.symbol, self._ledger.of(holding.symbol))

    def _emit_position(self, holding: Holding, kind: PositionEventKind) -> None:
        position = self._position_of(holding)
        self._emit(PositionEvent(event=kind, position=position, timestamp=self.now))
