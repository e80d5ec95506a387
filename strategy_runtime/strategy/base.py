"""The class users subclass: hooks to override, verbs to trade with, views of the account."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, tzinfo
from inspect import isasyncgenfunction, isgeneratorfunction
from typing import TYPE_CHECKING, Any, ClassVar, Self, dataclass_transform

from strategy_runtime.errors import ParameterError
from strategy_runtime.indicators import Indicators
from strategy_runtime.protocol.enums import Side, TimeInForce
from strategy_runtime.protocol.events import (
    AccountEvent,
    BacktestComplete,
    ConnectionEvent,
    Event,
    FinancingEvent,
    OrderEvent,
    PositionEvent,
    ProxyErrorEvent,
    RateLimitEvent,
    StalenessEvent,
    UnknownEvent,
)
from strategy_runtime.protocol.models import Candle, Order, Quote, Trade
from strategy_runtime.strategy.desk import (
    Desk,
    Mode,
    Number,
    OrderReference,
    TimerFunction,
    no_desk,
)
from strategy_runtime.strategy.gap import Gap
from strategy_runtime.strategy.hooks import check_hooks, check_ported
from strategy_runtime.strategy.indicator_methods import IndicatorMethods
from strategy_runtime.strategy.log import logger_of
from strategy_runtime.strategy.own_copies import own_copies
from strategy_runtime.strategy.parameters import Parameters
from strategy_runtime.strategy.state import NAME as STATE
from strategy_runtime.strategy.state import initial_state
from strategy_runtime.strategy.ticket import Ticket
from strategy_runtime.strategy.timer import Timer
from strategy_runtime.strategy.uncalled import check_calls
from strategy_runtime.strategy.views import AccountView, NetPosition, RiskState

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from decimal import Decimal

    from structlog.typing import FilteringBoundLogger

    from strategy_runtime.testing import Pilot

__all__ = ["Strategy"]

_Hook = Awaitable[None] | None
_DECORATED = (
    ("__dataclass_fields__", "a dataclass", "@dataclass"),
    ("__attrs_attrs__", "a class of attrs", "@define"),
)
# On the order path, a module-level name is found five times as fast as an Enum member. The many
# arguments are passed by position: by keyword would cost half as much as placing the order itself.
_BUY, _SELL = Side.BUY, Side.SELL


@dataclass_transform(kw_only_default=True, eq_default=False)
class Strategy(IndicatorMethods):
    """A trading strategy: subclass it.

    * Annotated public attributes of your class are its parameters: `fast: int = 10`.
    * Methods named `on_…` are hooks: write those you need, with `def` or `async def`. Hooks run
      one at a time, in the order of the events, and see what their event has changed.
    * `buy`, `sell`, `close` and other verbs place orders; `position`, `orders`, `history` and other
      views show positions, orders and prices.

    `state`, annotated with a msgspec Struct, is not a parameter. A live run saves it after every
    event that changed it, and the next one restores it before `on_start`. A backtest starts with
    its default.

    Attributes:
        lookback: How many candles of each symbol `history` keeps; 0 keeps none.
        backfill: Whether candles that closed while a live connection was lost also come to
            `on_candle` and `on_candles`, late; `is_backfilling` is true while they do.
    """

    lookback: ClassVar[int] = 0
    backfill: ClassVar[bool] = False
    __test__ = False  # or pytest would collect every strategy named Test…
    _parameters: ClassVar[Parameters | None] = None
    _given: frozenset[str]
    _values: dict[str, Any]
    _desk: Desk
    _is_backfilling: bool
    _has_run: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for each in cls.__mro__:
            if each is cls or not (issubclass(each, Strategy) or each in Strategy.__mro__):
                check_hooks(each.__name__, each.__dict__)
                check_ported(each, cls, Strategy)
                check_calls(each, cls, Strategy)
        cls._parameters = None

    def __new__(cls, *args: Any, **parameters: Any) -> Self:
        """Make an instance that can run even if a user's `__init__` does not call this one."""
        for mark, kind, decorator in _DECORATED:
            if hasattr(cls, mark):
                raise TypeError(
                    f"{cls.__name__} is {kind}, so its parameters would not be checked; remove "
                    f"{decorator}: annotated attributes are parameters without it"
                )
        strategy = super().__new__(cls)
        strategy._given = frozenset()
        strategy._values = {}
        strategy._desk = no_desk(cls.__name__)
        strategy._indicators = Indicators()
        strategy._is_backfilling = False
        strategy._has_run = False
        for name, value in own_copies(cls, Strategy):
            setattr(strategy, name, value)
        return strategy

    def __init__(self, **parameters: Any) -> None:
        """Take parameters by name, and `state` if it should not start with the default.

        Raises:
            ParameterError: Names the parameter, the value and the rule it breaks.
        """
        state = initial_state(type(self), parameters)
        if state is not None:
            setattr(self, STATE, state)
            parameters.pop(STATE, None)
        values = self.parameters().resolve(parameters)
        self._given = frozenset(parameters)
        for name, value in values.items():
            setattr(self, name, value)
        self._values = values

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"{type(self).__name__}({values})"

    def __getstate__(self) -> object:
        """Allow copying and pickling, for example to run it in another process.

        Raises:
            TypeError: The strategy has run.
        """
        if self._has_run:
            raise TypeError(
                f"this {type(self).__name__} has run, so it cannot be copied or pickled; make a "
                "new one for another run, and pass on the results of this one, or what it recorded"
            )
        return super().__getstate__()

    @classmethod
    def parameters(cls) -> Parameters:
        """The parameters of the class.

        Raises:
            ParameterError: A parameter has a type that is not supported.
        """
        if cls._parameters is None:
            cls._parameters = Parameters(cls, Strategy)
        return cls._parameters

    @classmethod
    def from_text(
        cls,
        values: Mapping[str, str],
        environ: Mapping[str, str],
        origin: Callable[[str], str] = str,
    ) -> Self:
        """Make an instance from `--set` values and `PARAM_<NAME>` variables; `--set` wins.

        Args:
            origin: Return how errors name a variable, with its file if it comes from one.

        Raises:
            ParameterError: Names the parameter, the value and the rule it breaks.
        """
        given = {**cls.parameters().from_environment(environ, origin, but=values), **values}
        strategy = cls(**given)
        lost = given.keys() - strategy._given
        if lost:
            raise ParameterError(
                f"{cls.__name__}.__init__ does not pass on {', '.join(sorted(lost))}; call "
                "super().__init__(**parameters) in it"
            )
        return strategy

    @property
    def parameter_values(self) -> dict[str, Any]:
        """The values the strategy runs with, by name."""
        return dict(self._values)

    # Hooks

    def on_start(self) -> _Hook:
        """Called once, before the first event: make indicators and timers here."""

    def on_connect(self) -> _Hook:
        """The event stream is open, for the first time or again.

        In a backtest the first call comes before the first event.
        """

    def on_disconnect(self) -> _Hook:
        """The event stream has been lost."""

    def on_reconnect(self, gap: Gap) -> _Hook:
        """The event stream is back; hooks and indicators have been told what was missed."""

    def on_candle(self, candle: Candle) -> _Hook:
        """A bar has closed; called for each symbol separately."""

    def on_candles(self, candles: list[Candle]) -> _Hook:
        """All bars that end at an instant have closed; called after `on_candle` of the last."""

    def on_quote(self, quote: Quote) -> _Hook:
        """The best bid or ask has changed."""

    def on_order(self, event: OrderEvent) -> _Hook:
        """An order has changed: `event.event` says how, `event.order` has its new state."""

    def on_trade(self, trade: Trade) -> _Hook:
        """An order has filled, completely or in part."""

    def on_position(self, event: PositionEvent) -> _Hook:
        """A position has been opened, changed or closed: `event.event` says which."""

    def on_account(self, event: AccountEvent) -> _Hook:
        """Balance or margin has changed."""

    def on_connection(self, event: ConnectionEvent) -> _Hook:
        """The connection to the proxy, or the proxy's connection to its broker, has changed."""

    def on_rate_limit(self, event: RateLimitEvent) -> _Hook:
        """The broker's request limit is near or reached."""

    def on_proxy_error(self, event: ProxyErrorEvent) -> _Hook:
        """The proxy reports an error."""

    def on_staleness(self, event: StalenessEvent) -> _Hook:
        """Market data of some symbols has stopped or resumed."""

    def on_financing(self, event: FinancingEvent) -> _Hook:
        """Interest, a fee for a short position or a swap has been booked."""

    def on_timer(self) -> _Hook:
        """A timer that was given no function fires."""

    def on_unknown(self, event: UnknownEvent) -> _Hook:
        """An event of a type this version does not know."""

    def on_error(self, error: Exception) -> _Hook:
        """A hook raised (`HookFailed`), or an unawaited order was refused (`OrderRejected`)."""

    def on_anomaly(self, description: str) -> _Hook:
        """Something unexpected: an order filled after it had ended, it is unknown whether an order
        arrived (or now it is known), or events were lost on a healthy connection."""

    def on_complete(self, event: BacktestComplete) -> _Hook:
        """The backtest is over: no more orders; queries are still answered."""

    def on_stop(self) -> _Hook:
        """Called once, at the end of every run."""

    def on_event(self, event: Event) -> _Hook:
        """Any event, after its own hook."""

    # Verbs

    def buy(
        self,
        symbol: str,
        quantity: Number | None = None,
        *,
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
        """Place a buy order.

        `limit` alone makes it a LIMIT order, `stop` alone a STOP, both a STOP_LIMIT, `trailing`
        (price units) or `trailing_percent` (5 is 5 %) a TRAILING_STOP, and no price a MARKET order.

        Give exactly one size: `quantity` in units; `fraction` of equity (`0.10` is a tenth);
        `notional` in account currency; or `risk`, the amount lost if `stop_loss` is hit.

        Args:
            stop_loss, take_profit: Prices of two orders that close the position again, placed when
                this one fills; when one of them fills, the other is cancelled.
            time_in_force: How long it stays open: until cancelled (`GTC`), for a day (`DAY`), for
                one bar (`IOC`), or for one bar, all or nothing (`FOK`).
            post_only: Reject a limit order that would fill at once.
            reduce_only: Only reduce a position, never open or reverse one.
            oco_group: One cancels the other: the first order of a group to fill cancels the rest.
            client_order_id: Id of the order, unique in the run; generated by default.

        Raises:
            ValueError: The arguments contradict each other, no price has been seen to convert the
                size with, or `client_order_id` has been used before.
        """
        return self._desk.order(
            _BUY,
            symbol,
            quantity,
            limit,
            stop,
            trailing,
            trailing_percent,
            fraction,
            notional,
            risk,
            stop_loss,
            take_profit,
            time_in_force,
            post_only,
            reduce_only,
            oco_group,
            client_order_id,
        )

    def sell(
        self,
        symbol: str,
        quantity: Number | None = None,
        *,
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
        """Place a sell order, which opens a short if nothing is held; arguments are as in `buy`."""
        return self._desk.order(
            _SELL,
            symbol,
            quantity,
            limit,
            stop,
            trailing,
            trailing_percent,
            fraction,
            notional,
            risk,
            stop_loss,
            take_profit,
            time_in_force,
            post_only,
            reduce_only,
            oco_group,
            client_order_id,
        )

    def modify(
        self,
        order: OrderReference,
        *,
        quantity: Number | None = None,
        limit: Number | None = None,
        stop: Number | None = None,
        trailing: Number | None = None,
        stop_loss: Number | None = None,
        take_profit: Number | None = None,
    ) -> Ticket:
        """Change an open order; what is omitted stays. The order keeps its id and its place.

        Args:
            order: A ticket, an order or an id.
            trailing: Distance of a trailing stop, in the unit it was placed with.

        Raises:
            ValueError: There is no such order in this run, or a number is not above zero.
        """
        return self._desk.modify(
            order,
            quantity=quantity,
            limit=limit,
            stop=stop,
            trailing=trailing,
            stop_loss=stop_loss,
            take_profit=take_profit,
        )

    def cancel(self, order: OrderReference) -> Ticket:
        """Cancel an open order. It is no error if the order has just ended: check its status.

        Args:
            order: A ticket, an order or an id.

        Raises:
            ValueError: There is no such order in this run.
        """
        return self._desk.cancel(order)

    def cancel_all(self, symbol: str | None = None) -> list[Ticket]:
        """Cancel all open orders of this strategy, or only those in `symbol`."""
        return self._desk.cancel_all(symbol)

    def close(self, symbol: str, quantity: Number | None = None) -> Ticket | None:
        """Close a position, or `quantity` units of it, at the market; None if it is flat.

        On a hedging account, every position in the symbol is closed, each with its own order; a
        quantity is closed on the larger side, oldest position first. The ticket is that of the
        last order.

        Raises:
            ValueError: A quantity was given, but the symbol is held long and short in equal size.
        """
        return self._desk.close(symbol, quantity)

    def close_all(self) -> list[Ticket]:
        """Close all positions of the account at the market, the oldest first."""
        return self._desk.close_all()

    def target(
        self,
        symbol: str,
        *,
        quantity: Number | None = None,
        fraction: Number | None = None,
        notional: Number | None = None,
    ) -> Ticket | None:
        """Bring a position to a size, at the market; negative is short. None if it has that size.

        The order is for the difference to the current net position, regardless of open orders. An
        order that makes a position smaller is reduce-only, as in `close`.
        """
        return self._desk.target(symbol, quantity=quantity, fraction=fraction, notional=notional)

    def quit(self, reason: str) -> None:
        """End the run normally once the current hook has returned.

        Orders of that hook are still sent. After it, only `on_stop` is called. The exit code is 0,
        and the results and the log show the reason (the first, if there are several).
        """
        self._desk.quit(reason)

    # Views

    def position(self, symbol: str, /) -> NetPosition:
        """The net position in a symbol: never None, flat if there is none."""
        return self._desk.position(symbol)

    @property
    def positions(self) -> list[NetPosition]:
        """All positions that are not flat, oldest first."""
        return self._desk.positions

    def orders(self, symbol: str | None = None, *, external: bool = False) -> list[Order]:
        """Open orders of this strategy, oldest first.

        Args:
            external: Return the orders of others on the account instead.
        """
        return self._desk.orders(symbol, external=external)

    @property
    def account(self) -> AccountView:
        """Balance, equity and margin at the last prices seen."""
        return self._desk.account

    @property
    def risk_state(self) -> RiskState:
        """Which orders are allowed: all within the limits, only reducing ones, or none."""
        return self._desk.risk_state

    def last(self, symbol: str) -> float | None:
        """The last price seen, or None before the first."""
        return self._desk.last(symbol)

    def history(self, symbol: str, count: int) -> list[Candle]:
        """The last `count` candles, oldest first, or fewer if fewer have been seen. If a symbol has
        several timeframes, these are candles of the finest.

        Raises:
            ValueError: `count` is more than the class keeps (`lookback`).
        """
        return self._desk.history(symbol, count)

    @property
    def now(self) -> datetime:
        """The current time in UTC: simulated in a backtest, the wall clock live.

        Raises:
            RuntimeError: A backtest has had no event yet, as in `on_start` and `on_connect`.
        """
        return self._desk.now

    @property
    def mode(self) -> Mode:
        """`backtest` or `live`."""
        return self._desk.mode

    @property
    def is_backfilling(self) -> bool:
        """Whether the current candle closed while the connection was lost, so that it is late."""
        return self._is_backfilling

    @property
    def log(self) -> "FilteringBoundLogger":
        """A structlog logger, bound to this strategy."""
        return logger_of(type(self).__name__)

    # Time

    def every(self, interval: str, function: TimerFunction | None = None) -> Timer:
        """Call a function at every multiple of `interval` (`5m`, `1h`, …) of the UTC day.

        Intervals longer than a day start when candles of that length do: a week on Monday, a month
        (`1M`) on its first day. In a backtest, a timer fires when the first event at or after its
        time arrives, before that event's hook. Live, it fires by the wall clock, with or without
        events, and only once for all the times it missed while a hook ran.

        Args:
            function: By default `on_timer`.

        Returns:
            The timer, which can be cancelled.

        Raises:
            TimeframeError: `interval` cannot be read.
        """
        called = self._timer_function("every", function)
        return self._desk.every(interval, called)

    def at(
        self,
        time_of_day: str,
        function: TimerFunction | None = None,
        *,
        tz: tzinfo | str = UTC,
    ) -> Timer:
        """Call a function once every day, at `HH:MM` or `HH:MM:SS` in a time zone.

        If the clocks go forward over that time, the call comes as much later as they skip; if they
        go back over it, the call comes the first time.

        Args:
            function: By default `on_timer`.
            tz: Such as `America/New_York`.

        Returns:
            The timer, which can be cancelled.

        Raises:
            ValueError: `time_of_day` cannot be read, or there is no such zone.
        """
        called = self._timer_function("at", function)
        return self._desk.at(time_of_day, called, tz)

    def _timer_function(self, verb: str, function: TimerFunction | None) -> TimerFunction:
        if function is None and getattr(self.on_timer, "__func__", None) is Strategy.on_timer:
            raise TypeError(
                f"{verb}() was given no function, and {type(self).__name__} has no on_timer; pass "
                f"the function itself, as in {verb}(…, self.rebalance), and do not call it"
            )
        if not callable(function or self.on_timer):
            raise TypeError(f"{verb}() needs a function to call, not {function!r}")
        if isgeneratorfunction(function) or isasyncgenfunction(function):
            raise TypeError(
                f"{verb}() was given a function with a yield, so calling it would run nothing: "
                f"{function!r}"
            )
        return function or self.on_timer

    # Tests

    def run_test(
        self, *, cash: "Decimal | int" = 100_000, **options: Any
    ) -> "AbstractAsyncContextManager[Pilot]":
        """Run this strategy on a simulated exchange, with a pilot that feeds it data.

        Args:
            options: `timeframe`, `start` (an aware datetime) and `on_error`; options of the
                exchange, such as `fee_rate`; and risk limits, such as `max_order_notional`. See
                `strategy_runtime.testing.run_test`.
        """
        from strategy_runtime.testing import run_test

        return run_test(self, cash=cash, **options)
