"""The exchange: assembles its parts, and places, changes and cancels orders for clients."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from strategy_runtime.protocol.enums import OrderStatus, OrderType
from strategy_runtime.protocol.events import Event, Item
from strategy_runtime.protocol.models import (
    Account,
    Order,
    OrderChanges,
    OrderHandle,
    OrderRequest,
)
from strategy_runtime.protocol.orders import check_amount, invalid_request
from strategy_runtime.protocol.subscriptions import EVERYTHING, Subscriptions
from strategy_runtime.protocol.witness import Witness
from strategy_runtime.simulator.data.series import BarSeries, QuoteSeries, TickSeries
from strategy_runtime.simulator.exchange.acceptance import Acceptance
from strategy_runtime.simulator.exchange.admission import Admission, check_changes
from strategy_runtime.simulator.exchange.agenda import Agenda
from strategy_runtime.simulator.exchange.answers import Answers
from strategy_runtime.simulator.exchange.brackets import Brackets
from strategy_runtime.simulator.exchange.crossing import Crossing
from strategy_runtime.simulator.exchange.execution import Execution
from strategy_runtime.simulator.exchange.in_step import InStep
from strategy_runtime.simulator.exchange.liquidation import Liquidation
from strategy_runtime.simulator.exchange.margin import Margin
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.nights import Nights
from strategy_runtime.simulator.exchange.outlook import Outlook
from strategy_runtime.simulator.exchange.plain import PlainOrders
from strategy_runtime.simulator.exchange.plain_execution import PlainExecution
from strategy_runtime.simulator.exchange.replay import Replay
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.orders import KeptOrder, PlainOrder, RestingOrder

__all__ = ["Exchange"]


class Exchange(Answers):
    """An exchange that replays market data."""

    __slots__ = (
        "_acceptance",
        "_admission",
        "_agenda",
        "_brackets",
        "_in_step",
        "_news",
        "_plain",
        "_replay",
    )

    def __init__(
        self,
        data: Sequence[BarSeries],
        options: ExchangeOptions | None = None,
        subscriptions: Subscriptions = EVERYTHING,
        timeframe: str | None = None,
        quotes: Sequence[QuoteSeries] = (),
        trades: Sequence[TickSeries] = (),
    ) -> None:
        state = State(data, options or ExchangeOptions(), subscriptions, timeframe, quotes, trades)
        super().__init__(state)
        news = self._news = News(state)
        agenda = self._agenda = Agenda(state)
        acceptance = self._acceptance = Acceptance(state, news, agenda)
        brackets = self._brackets = Brackets(state, acceptance)
        margin = Margin(state)
        self._admission = Admission(state, margin)
        execution = Execution(state, news, acceptance, brackets, margin)
        nights = Nights(state, news)
        liquidation = Liquidation(state, news, acceptance, margin, execution)
        plain_execution = PlainExecution(state, news, margin)
        plain = self._plain = PlainOrders(state, news, agenda, plain_execution)
        crossing = Crossing(state, acceptance, execution, nights, plain_execution)
        replay = self._replay = Replay(state, news, agenda, crossing, nights, liquidation)
        outlook = Outlook(state, agenda, nights)
        self._in_step = InStep(state, news, agenda, outlook, plain, crossing, liquidation, replay)

    # The clock

    @property
    def outbox(self) -> deque[Event]:
        """Events emitted and not yet delivered."""
        return self._state.outbox

    @property
    def is_candle_next(self) -> bool:
        """Whether the next event of the outbox is a candle; those of an instant come in a row."""
        return self._state.is_candle_next

    @property
    def upcoming_ns(self) -> int | None:
        """The next instant at which something can happen, or None at the end of the data."""
        return self._agenda.upcoming_ns

    def phases(self, *, is_paced: bool = False) -> Iterator[None]:
        """Run phase by phase to the end of the data, yielding after each that emitted events.

        Resume it only once everything in `outbox` has been delivered and handled, including what
        commands have added meanwhile. The last phase emits `BacktestComplete`. Call it once.

        Args:
            is_paced: Also yield before each instant, whether it emits anything or not, for a replay
                by the clock.
        """
        yield from self._replay.phases(is_paced=is_paced)
        yield from self._replay.finish()

    def replay(self) -> Iterator[None]:
        """Run the phases of the bars so far; after `extend`, those of the new bars."""
        return self._replay.phases()

    def finish(self) -> Iterator[None]:
        """Run the last phase of a run: no bar will follow."""
        return self._replay.finish()

    def stream(self, phases: Iterator[None]) -> Iterator[Item]:
        """Yield the events of phases in the order in which to handle them.

        Resume it only once the last event has been handled. A run of candles may be left early to
        do something at once, such as placing an order; the next run continues where it stopped.
        """
        return self._in_step.stream(phases)

    def tell_instants(self) -> None:
        """Let `stream` yield `InstantClosed` after the last candle of each instant from now on."""
        self._in_step.tells_instants = True

    def extend(self, series: BarSeries) -> None:
        """Add bars of a known or a new symbol while the exchange runs.

        Raises:
            ValueError: They start before simulated now.
        """
        self._replay.extend(series)

    def extend_quotes(self, quotes: QuoteSeries) -> None:
        """Add quotes while the exchange runs; from then on the symbol's orders fill at quotes.

        Raises:
            ValueError: They start before simulated now.
        """
        self._replay.extend_quotes(quotes)

    # The witness

    def let_look(self, witness: Witness | None, tells: Callable[[int], bool] | None = None) -> None:
        """Show changes to a witness from now on, instead of emitting events; None emits them again.

        Call it only while no events of changes are undelivered.

        Args:
            tells: Says at which instants events must be emitted all the same.
        """
        self._in_step.catch_up()
        self._news.let_look(witness, tells)

    def announced_account(self) -> Account:
        """Return the account as last announced."""
        return self._news.announced_account()

    # Commands

    def submit(self, request: OrderRequest) -> OrderHandle:
        """Accept an order, which is active from the next phase on.

        A repeated `client_order_id` with the same content returns the first order and changes
        nothing.

        Raises:
            ApiError: 400 for an invalid order, 422 `ORDER_REJECTED` for one that the account or the
                market does not allow.
        """
        order = self.place(request)
        return OrderHandle(
            id=order.id, status=order.status, client_order_id=request.client_order_id
        )

    def place(self, request: OrderRequest) -> KeptOrder:
        """Accept an order like `submit`, but return the order itself, for callers in process."""
        self._state.keep_time()
        order = self._plain.accept(request)
        if order is not None:
            return order
        self._in_step.catch_up()
        known = self._admission.given_before(request)
        if known is not None:
            return known
        self._admission.check(request)
        with self._news.command:
            return self._acceptance.accept(request)

    def modify(self, order_id: str, changes: OrderChanges) -> Order:
        """Change a resting order in place.

        Raises:
            ApiError: 404 unknown, 409 no longer open, 400 for a change the order cannot take.
        """
        self._in_step.catch_up()
        order = self._admission.open_order(order_id)
        self._change(order, changes)
        return order.snapshot()

    def revise(self, name: str, changes: OrderChanges) -> None:
        """Change an order like `modify`, without building an answer.

        Args:
            name: The client's id of the order, or the exchange's.

        Raises:
            ApiError: As `modify`.
        """
        self._in_step.catch_up()
        register = self._state.register
        order = register.by_client_id.get(name) or register.get(name)
        self._change(self._admission.still_open(order), changes)

    def _change(self, order: RestingOrder, changes: OrderChanges) -> None:
        given = check_changes(order, changes)
        with self._news.command:
            self._acceptance.move(order, given)
            if order.filled:
                self._brackets.follow(order, changes)

    def cancel(self, order_id: str) -> Order:
        """Cancel a resting order.

        Raises:
            ApiError: 404 unknown, 409 `ORDER_NOT_MODIFIABLE` no longer open.
        """
        self._in_step.catch_up()
        order = self._admission.open_order(order_id)
        self._acceptance.finish(order, OrderStatus.CANCELLED)
        return order.snapshot()

    def withdraw(self, name: str) -> None:
        """Cancel an order like `cancel`, without building an answer; ignore one that is not open.

        Args:
            name: The client's id of the order, or the exchange's.

        Raises:
            ApiError: 409 `ORDER_NOT_MODIFIABLE`, once the backtest is over.
        """
        register = self._state.register
        order = register.by_client_id.get(name) or register.find(name)
        if order is None or order.is_over:
            return
        if isinstance(order, PlainOrder):
            self._plain.withdraw(order)
            return
        self._in_step.catch_up()
        self._acceptance.finish(self._admission.still_open(order), OrderStatus.CANCELLED)

    def cancel_all(self, symbol: str | None = None) -> list[Order]:
        """Cancel all resting orders, or those of one symbol, in the order of acceptance.

        Cancels nothing once the backtest is over.
        """
        if self.is_complete:
            return []
        self._in_step.catch_up()
        wanted = [
            order for order in self._state.register.open_ones() if symbol in (None, order.symbol)
        ]
        return [self.cancel(order.id) for order in wanted]

    def close_position(
        self,
        position_id: str,
        quantity: Decimal | None = None,
        order_type: OrderType = OrderType.MARKET,
        limit_price: Decimal | None = None,
    ) -> OrderHandle:
        """Place a reduce-only order against a position; a larger quantity is clipped to it.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`, and what `submit` raises.
        """
        holding = self._state.holding(position_id)
        held = abs(holding.quantity)
        size = held if quantity is None else min(quantity, held)
        return self.submit(holding.reduction(size, order_type, limit_price=limit_price))

    def close_positions(self, symbol: str | None = None) -> list[OrderHandle]:
        """Close all positions at the market, or those in one symbol."""
        wanted = [h.id for h in self._state.ledger.holdings.values() if symbol in (None, h.symbol)]
        return [self.close_position(position_id) for position_id in wanted]

    def protect_position(
        self, position_id: str, stop_loss: Decimal | None, take_profit: Decimal | None
    ) -> dict[str, list[Order]]:
        """Move the bracket legs of a position, or place those it lacks.

        Returns:
            The legs under `stop_loss` and `take_profit`, whichever were given.

        Raises:
            ApiError: 404 `POSITION_NOT_FOUND`; 400 without a price, or with one not above zero.
        """
        holding = self._state.holding(position_id)
        wanted = [
            (name, kind, price)
            for name, kind, price in (
                ("stop_loss", OrderType.STOP, stop_loss),
                ("take_profit", OrderType.LIMIT, take_profit),
            )
            if price is not None
        ]
        if not wanted:
            raise invalid_request("give stop_loss, take_profit or both")
        for name, _, price in wanted:
            check_amount(name, price)
        self._admission.check_market_is_open()
        self._in_step.catch_up()
        with self._news.command:
            moved = {
                name: self._brackets.cover(holding, kind, price) for name, kind, price in wanted
            }
        return {name: [leg.snapshot() for leg in legs] for name, legs in moved.items()}
