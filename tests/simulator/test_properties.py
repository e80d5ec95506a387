"""What holds for every strategy, every order and every bar."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategy_runtime import (
    Candle,
    Event,
    OrderEvent,
    OrderRejected,
    Side,
    Strategy,
    Ticket,
    TimeInForce,
    Trade,
    crossed_above,
    crossed_below,
    sums,
)
from strategy_runtime.clock import ns_of, sleep
from strategy_runtime.demo import PRICES
from strategy_runtime.protocol.enums import OrderStatus, PositionMode
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.runtime.delivery import runs
from strategy_runtime.runtime.delivery.runs import CandleRuns
from strategy_runtime.runtime.risk import daily_loss
from strategy_runtime.runtime.risk.limited import desk_for
from strategy_runtime.runtime.risk.limits import NO_LIMITS, Limits
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator import valuation as valuations
from strategy_runtime.simulator.data.load import load_bars
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.exchange.plain import PlainOrders
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.outcome import LIQUIDATION, Fill, Outcome
from strategy_runtime.simulator.splits import Split
from strategy_runtime.simulator.valuation import Valuation
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import MANY, no_short_cuts, over_sockets

SYMBOLS = ("S:A", "S:B")
HOUR = 60 * 60 * 10**9
STEP = 12 * HOUR
VOLUMES = (100.0, 400.0, 0.0, 30.0)
"""Volumes of the bars of a market, repeated; 0 is unknown."""
Row = tuple[float, float, float, float]
_R = TypeVar("_R", bound="Random")
_Test = TypeVar("_Test", bound=Callable[..., object])


@dataclass(frozen=True)
class Action:
    """One action of a random strategy at a candle."""

    at: int
    symbol: str
    verb: str
    quantity: int
    price: float
    other: float


def ticks(low: int = 1, high: int = 400) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda tick: tick / 4)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    prices = sorted(draw(st.lists(ticks(), min_size=4, max_size=4)))
    low, one, other, high = prices
    opened, closed = draw(st.sampled_from([(one, other), (other, one)]))
    return opened, high, low, closed


actions = st.builds(
    Action,
    at=st.integers(0, 12),
    symbol=st.sampled_from(SYMBOLS),
    verb=st.sampled_from(
        "buy sell limit stop stop_limit trail percent bracket close cancel oco day ioc fok "
        "post reduce grow keep".split()
    ),
    quantity=st.integers(1, 50),
    price=ticks(),
    other=ticks(),
)
markets = st.fixed_dictionaries(
    {symbol: st.lists(rows(), min_size=3, max_size=12) for symbol in SYMBOLS}
)
costs = st.sampled_from(
    [
        {},
        {"fee_rate": Decimal("0.001"), "fee_min": Decimal("0.5")},
        {"fee_per_share": Decimal("0.01"), "children": "next_bar"},
        {"slippage": Decimal("0.01"), "spread": Decimal("0.5"), "impact": Decimal("0.1")},
        {"cash": Decimal(300), "fee_min": Decimal(40), "slippage_fixed": Decimal("0.3")},
        {"max_volume_share": Decimal("0.1"), "latency": 1},
        {"max_volume_share": Decimal("0.1")},
        {"max_volume_share": Decimal("0.03"), "fee_rate": Decimal("0.001")},
        {"cash": Decimal(300), "leverage": Decimal(3)},
        {"cash": Decimal(300), "mode": PositionMode.HEDGING},
        {
            "cash": Decimal(300),
            "leverage": Decimal(3),
            "borrow_rate": Decimal("0.2"),
            "financing_rate": Decimal("0.1"),
        },
        {
            "max_volume_share": Decimal("0.1"),
            "splits": (
                Split("S:A", datetime(1970, 1, 3, tzinfo=UTC), Decimal(2)),
                Split("S:B", datetime(1970, 1, 4, tzinfo=UTC), Decimal(1), Decimal(4)),
            ),
        },
    ]
)


class Random(Strategy):
    """Follows a drawn plan."""

    def __init__(self, plan: list[Action], exchange: Exchange) -> None:
        super().__init__()
        self.plan = plan
        self.exchange = exchange
        self.count = 0

    def on_candle(self, candle: Candle) -> None:
        for action in self.plan:
            if action.at == self.count:
                self.act(action)
        self.count += 1

    def act(self, action: Action) -> None:
        symbol, quantity, price, other = (
            action.symbol,
            action.quantity,
            action.price,
            action.other,
        )
        match action.verb:
            case "buy":
                self.buy(symbol, quantity)
            case "sell":
                self.sell(symbol, quantity)
            case "limit":
                self.buy(symbol, quantity, limit=price)
            case "stop":
                self.sell(symbol, quantity, stop=price)
            case "stop_limit":
                self.buy(symbol, quantity, stop=price, limit=other)
            case "trail":
                self.sell(symbol, quantity, trailing=price)
            case "bracket":
                self.buy(symbol, quantity, stop_loss=price, take_profit=other)
            case "percent":
                self.buy(symbol, quantity, trailing_percent=price / 2)
            case "day":
                self.buy(symbol, quantity, limit=price, time_in_force=TimeInForce.DAY)
            case "ioc":
                self.sell(symbol, quantity, limit=price, time_in_force=TimeInForce.IOC)
            case "fok":
                self.buy(symbol, quantity, time_in_force=TimeInForce.FOK)
            case "post":
                self.sell(symbol, quantity, limit=price, post_only=True)
            case "reduce":
                self.sell(symbol, quantity, stop=price, reduce_only=True)
            case "grow":
                for order in self.orders(symbol):
                    self.modify(order, quantity=order.quantity + quantity)
            case "keep":
                for order in self.orders(symbol):
                    self.modify(order, quantity=order.quantity)
            case "close":
                self.close(symbol)
            case "close_all":
                self.close_all()
            case "cancel":
                self.cancel_all(symbol)
            case _:
                self.buy(symbol, quantity, limit=price, oco_group=symbol)
                self.buy(symbol, quantity, stop=other, oco_group=symbol)


class Audited(Random):
    """Checks the books at every event."""

    def on_event(self, event: Event) -> None:
        check_identities(self.exchange.outcome())
        if isinstance(event, OrderEvent):
            assert event.order.filled_quantity <= event.order.quantity


class Watchful(Random):
    """Notes every event, and the answers to all queries at that moment."""

    def __init__(self, plan: list[Action], exchange: Exchange) -> None:
        super().__init__(plan, exchange)
        self.seen: list[tuple[Event, str]] = []

    def on_event(self, event: Event) -> None:
        self.seen.append((event, self.answers()))

    def answers(self) -> str:
        """Return the answers to all queries at this moment."""
        exchange = self.exchange
        asked: list[object] = [
            exchange.account(),
            exchange.positions(),
            exchange.orders(),
            exchange.trades(),
        ]
        for symbol in {each.symbol: None for each in exchange.outcome().series}:
            asked.append(exchange.bars(symbol, "12h"))
            asked.append(exchange.bars(symbol, "1d"))
            if asked[-2]:
                asked.append(exchange.quote(symbol))
        return repr(asked)


def series_of(
    market: dict[str, list[Row]], hours: int = 12, pauses: tuple[int, int] = (0, 0)
) -> list[BarSeries]:
    """Return bars of twelve or other hours, the first of which starts in the evening.

    Args:
        pauses: The bar of each symbol before which it pauses for five bars; 0 for never.
    """
    found = []
    step = hours * HOUR
    for (symbol, bars), pause in zip(market.items(), pauses, strict=False):
        series = BarSeries(symbol, f"{hours}h", step)
        begin = 0 if hours == 12 else 18 * HOUR
        for number, (opened, high, low, close) in enumerate(bars):
            if pause and number == pause:
                begin += 5 * step
            volume = VOLUMES[number % len(VOLUMES)]
            series.append(begin + number * step, opened, high, low, close, volume)
        found.append(series)
    return found


def run(
    kind: type[_R],
    market: dict[str, list[Row]],
    plan: list[Action],
    options: dict[str, object],
    limits: Limits = NO_LIMITS,
    hours: int = 12,
    pauses: tuple[int, int] = (0, 0),
) -> tuple[Outcome, _R]:
    series = series_of(market, hours, pauses)
    exchange = Exchange(series, ExchangeOptions(**options))  # type: ignore[arg-type]
    strategy = kind(plan, exchange)
    venue, desk = SimulatedVenue(exchange), desk_for(limits)
    asyncio.run(Runner(strategy, venue, mode="backtest", desk=desk).run())
    return exchange.outcome(), strategy


def watch(
    market: dict[str, list[Row]], plan: list[Action], options: dict[str, object]
) -> tuple[Outcome, list[tuple[Event, str]]]:
    outcome, strategy = run(Watchful, market, plan, options)
    return outcome, strategy.seen


def check_identities(outcome: Outcome) -> None:
    """Check that equity, profit and positions agree with the fills to the last digit."""
    held: dict[str, Decimal] = {}
    spent = Decimal(0)
    for fill in outcome.fills:
        signed = fill.quantity * fill.side.sign
        held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + signed
        spent += signed * fill.price + fill.fee
    for change in outcome.adjustments:
        held[change.symbol] = held.get(change.symbol, Decimal(0)) + change.units
        spent -= change.cash
    open_positions: dict[str, Decimal] = {}
    for position in outcome.positions:
        before = open_positions.get(position.symbol, Decimal(0))
        open_positions[position.symbol] = before + position.signed_quantity
    assert {s: q for s, q in held.items() if q} == {s: q for s, q in open_positions.items() if q}
    assert outcome.cash == outcome.start_equity - spent
    value = sum((p.signed_quantity * p.current_price for p in outcome.positions), Decimal(0))
    assert outcome.equity == outcome.cash + value
    gained = outcome.realized_pnl + outcome.unrealized_pnl - outcome.fees - outcome.financing
    assert outcome.equity - outcome.start_equity == gained


def check_fills(outcome: Outcome, market: dict[str, list[Row]]) -> None:
    orders = {order.id: order for order in outcome.orders}
    for fill in outcome.fills:
        order = orders[fill.order_id]
        _, high, low, _ = market[fill.symbol][fill.bar_ns // STEP]
        assert Decimal(str(low)) <= fill.base_price <= Decimal(str(high))
        assert order.created_at is not None
        assert fill.time_ns >= order.created_at.timestamp() * 10**9
        is_restated = any(order.id in change.restated for change in outcome.adjustments)
        if order.limit_price is not None and not is_restated:
            better = order.limit_price - fill.price
            assert (better if fill.side is Side.BUY else -better) >= 0
    for order in outcome.orders:
        filled = sum((f.quantity for f in outcome.fills if f.order_id == order.id), Decimal(0))
        assert filled == order.filled_quantity <= order.quantity
    ended_by_fill = Counter(
        (leg.parent_order_id, leg.created_at)
        for leg in outcome.orders
        if leg.parent_order_id and leg.status is OrderStatus.FILLED
    )
    assert max(ended_by_fill.values(), default=0) <= 1


def check_reduce_only(outcome: Outcome) -> None:
    held: dict[str, Decimal] = {}
    reduce_only = {order.id for order in outcome.orders if order.reduce_only}
    for fill in outcome.fills:
        before = held.get(fill.symbol, Decimal(0))
        after = before + fill.quantity * fill.side.sign
        if fill.order_id in reduce_only:
            assert abs(after) < abs(before)
            assert after * before >= 0
        held[fill.symbol] = after


many = settings(max_examples=MANY)


@many
@pytest.mark.timeout(600)
@given(market=markets, plan=st.lists(actions, max_size=12), options=costs)
def test_books_balance_and_fills_are_possible(
    market: dict[str, list[Row]], plan: list[Action], options: dict[str, object]
) -> None:
    outcome, _ = run(Audited, market, plan, options)
    check_identities(outcome)
    check_fills(outcome, market)
    if "mode" not in options and "splits" not in options:
        check_reduce_only(outcome)
    assert outcome.complete


@many
@pytest.mark.timeout(600)
@given(market=markets, plan=st.lists(actions, max_size=12), options=costs)
def test_two_runs_are_the_same(
    market: dict[str, list[Row]], plan: list[Action], options: dict[str, object]
) -> None:
    (one, seen_once), (other, seen_again) = (
        watch(market, plan, options),
        watch(market, plan, options),
    )
    assert seen_once == seen_again
    assert (one.fills, one.orders, one.equity) == (other.fills, other.orders, other.equity)


@pytest.mark.timeout(600)
@given(market=markets, plan=st.lists(actions, max_size=12), options=costs)
def test_short_cuts_change_nothing(
    market: dict[str, list[Row]], plan: list[Action], options: dict[str, object]
) -> None:
    """The fast paths are sleeping orders, symbols in step, and plain orders."""
    alone = {"S:A": market["S:A"]}
    plan_alone = [action for action in plan if action.symbol == "S:A"]
    quick = watch(market, plan, options), watch(alone, plan_alone, options)
    with no_short_cuts():
        slow = watch(market, plan, options), watch(alone, plan_alone, options)
    for (one, seen_once), (other, seen_again) in zip(quick, slow, strict=True):
        assert seen_once == seen_again
        assert (one.fills, one.orders, one.events) == (other.fills, other.orders, other.events)


@many
@pytest.mark.timeout(600)
@given(
    market=markets,
    plan=st.lists(actions, max_size=12),
    options=costs,
    kind=st.sampled_from([Random, Watchful]),
)
def test_what_a_fill_leaves_of_a_valuation_is_as_if_it_were_made_anew(
    market: dict[str, list[Row]],
    plan: list[Action],
    options: dict[str, object],
    kind: type[Random],
) -> None:
    kept = State.valued

    def checked(state: State) -> Valuation:
        valuation = kept(state)
        anew = Valuation(state.ledger.holdings, state.mark)
        assert list(valuation._worths.parts.items()) == list(anew._worths.parts.items())
        assert str(valuation.profit()) == str(anew.profit())
        assert str(valuation.size()) == str(anew.size())
        assert str(valuation.added_to(state.ledger.cash)) == str(anew.added_to(state.ledger.cash))
        return valuation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(State, "valued", checked)
        patch.setattr(sums, "MANY", 1)
        patch.setattr(valuations, "MANY", 1)
        run(kind, market, plan, options)


class Restless(Random):
    """Acts at events of every kind: after opens, within bars, during longer bars."""

    def on_candle(self, candle: Candle) -> None:
        pass

    def on_event(self, event: Event) -> None:
        check_identities(self.exchange.outcome())
        for action in self.plan:
            if action.at == self.count:
                self.act(action)
        self.count += 1

    def act(self, action: Action) -> None:
        if action.verb != "move":
            super().act(action)
            return
        for order in self.orders(action.symbol):
            if order.limit_price is not None:
                self.modify(order, limit=action.price)
            if not order.reduce_only:
                self.modify(order, stop_loss=action.price, take_profit=action.other)


verbs = "buy sell limit stop stop_limit trail bracket close cancel oco ioc fok post reduce move"
restless = st.builds(
    Action,
    at=st.integers(0, 40),
    symbol=st.sampled_from(SYMBOLS),
    verb=st.sampled_from(verbs.split()),
    quantity=st.integers(1, 50),
    price=ticks(),
    other=ticks(),
)
borrowed = {"cash": Decimal(300), "leverage": Decimal(3), "impact": Decimal("0.5")}


@many
@pytest.mark.timeout(600)
@given(market=markets, plan=st.lists(restless, max_size=20), options=costs | st.just(borrowed))
def test_so_it_is_where_orders_are_given_at_any_event_and_bars_have_several_lengths(
    market: dict[str, list[Row]], plan: list[Action], options: dict[str, object]
) -> None:
    """Fills are possible, and later data do not change earlier fills, on either path."""
    if "splits" in options:
        return

    def trade(rows: slice) -> tuple[list[BarSeries], list[Fill]]:
        longer, shorter = ({symbol: market[symbol][rows]} for symbol in SYMBOLS)
        series = [*series_of(longer), *series_of(shorter, hours=4)]
        exchange = Exchange(series, ExchangeOptions(**options))  # type: ignore[arg-type]
        strategy = Restless(plan, exchange)
        asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
        return series, exchange.fills

    series, fills = trade(slice(None))
    by_symbol = {each.symbol: each for each in series}
    for fill in fills:
        bars = by_symbol[fill.symbol]
        row = list(bars.starts).index(fill.bar_ns)
        assert fill.bar_ns <= fill.time_ns
        if fill.rule != LIQUIDATION:  # that is at the close before
            assert bars.lows[row] <= fill.base_price <= bars.highs[row]
    _, before = trade(slice(-1))
    cut = min(bars.starts[-1] for bars in series)
    assert [fill for fill in before if fill.time_ns < cut] == [
        fill for fill in fills if fill.time_ns < cut
    ]
    with no_short_cuts():
        assert trade(slice(None))[1] == fills


NEVER, AT_START = 99, -1


class Sighted(Random):
    """Has hooks only for candles and errors, and notes all it can see at each candle.

    It may set a timer at the start or at a candle, at which it looks and acts too.
    """

    timer_at: ClassVar[int] = NEVER
    interval: ClassVar[str] = "6h"

    def __init__(self, plan: list[Action], exchange: Exchange) -> None:
        super().__init__(plan, exchange)
        self.seen: list[object] = []
        self.tickets: list[Ticket] = []
        self.ticks = 0

    def on_start(self) -> None:
        if self.timer_at == AT_START:
            self.every(self.interval, self.tick)

    def on_candle(self, candle: Candle) -> None:
        if self.count == self.timer_at:
            self.every(self.interval, self.tick)
        self.note()
        super().on_candle(candle)
        self.seen.append([(order.status, order.id) for order in self.orders()])

    def on_error(self, error: Exception) -> None:
        self.seen.append(str(error))

    def buy(self, *what: Any, **more: Any) -> Ticket:
        self.tickets.append(super().buy(*what, **more))
        return self.tickets[-1]

    def sell(self, *what: Any, **more: Any) -> Ticket:
        self.tickets.append(super().sell(*what, **more))
        return self.tickets[-1]

    def tick(self) -> None:
        self.note()
        if self.ticks == 1:
            self.every("3h", self.note)
        if self.ticks < len(self.plan):
            self.act(self.plan[self.ticks])
        self.ticks += 1

    def note(self) -> None:
        account = self.account
        self.seen += [
            self.count,
            self.now,
            self.risk_state,
            [
                (net.symbol, net.quantity, net.average_entry_price, net.realized_pnl)
                for net in map(self.position, SYMBOLS)
            ],
            [net.symbol for net in self.positions],
            self.orders(),
            self.orders(external=True),
            orders := [ticket.order for ticket in self.tickets],
            [self._desk.order_of(order.id) == order for order in orders],  # type: ignore[attr-defined]
            [getattr(account, name) for name in (*account.__struct_fields__, "equity")],
        ]


class SightedBetween(Sighted):
    """Awaits something at each candle, and notes all it can see meanwhile."""

    async def on_candle(self, candle: Candle) -> None:  # type: ignore[override]
        super().on_candle(candle)
        await sleep(0)
        self.note()
        for ticket in list(self._desk.unsettled):  # type: ignore[attr-defined]
            with suppress(OrderRejected):
                self.seen.append(await ticket)
            self.note()


class Listening:
    """Has hooks for all other events too, which do nothing."""

    def on_event(self, event: Event) -> None:
        pass

    on_order = on_trade = on_position = on_account = on_event


FLAT: list[Row] = [(0.25, 0.25, 0.25, 0.25)] * 3
CALM: list[Row] = [(50.0, 50.0, 50.0, 50.0)] * 6
DIP: list[Row] = [*CALM[:4], (50.0, 50.0, 40.0, 40.0), (50.0, 50.0, 50.0, 50.0)]


def plain(at: int, verb: str, quantity: int) -> Action:
    return Action(at, "S:A", verb, quantity, price=0.25, other=0.25)


def ordinary_except(**different: Any) -> Callable[[_Test], _Test]:
    """An example with ordinary arguments, except as given."""
    ordinary = {
        "options": {},
        "base": Sighted,
        "alone": False,
        "timer_at": NEVER,
        "interval": "6h",
        "limits": NO_LIMITS,
        "hours": 12,
        "pauses": (0, 0),
        "listens": False,
    }
    shown: Callable[[_Test], _Test] = example(**ordinary | different)
    return shown


@many
@pytest.mark.timeout(600)
@ordinary_except(  # a plain order on an account at risk, and a timer set after its fill
    market={"S:A": FLAT, "S:B": FLAT},
    plan=[plain(0, "buy", 1)] * 2 + [plain(0, "sell", 3), plain(2, "buy", 1)],
    timer_at=5,
)
@ordinary_except(  # a fee above the proceeds, which leaves the account short of margin
    market={"S:A": [(25.0, 25.0, 25.0, 25.0)] * 2 + FLAT, "S:B": FLAT},
    plan=[plain(0, "buy", 10), plain(1, "sell", 1)],
    options={"cash": Decimal(300), "fee_min": Decimal(40)},
    alone=True,
)
@ordinary_except(  # the cost of a position after a part of it was sold, with endless digits
    market={"S:A": FLAT, "S:B": FLAT},
    plan=[plain(0, "buy", 1)] * 4 + [plain(0, "bracket", 2), plain(2, "buy", 1)],
    options={"slippage": Decimal("0.01"), "spread": Decimal("0.5"), "impact": Decimal("0.1")},
    limits=Limits(max_daily_loss=Decimal(1)),
)
@ordinary_except(  # an order within an instant, and a loss that is recovered on the same day
    market={"S:A": DIP, "S:B": CALM},
    plan=[plain(4, "buy", 10)],
    limits=Limits(max_daily_loss=Decimal(40)),
    hours=1,
)
@ordinary_except(  # a plain order filled after a pause, and timers that come before
    market={"S:A": CALM},
    plan=[plain(2, "buy", 10)],
    alone=True,
    timer_at=AT_START,
    interval="1h",
    hours=1,
    pauses=(3, 0),
)
@ordinary_except(  # a resting order filled in a bar in which a timer is due
    market={"S:A": DIP},
    plan=[Action(1, "S:A", "limit", 10, price=45.0, other=0.25)],
    alone=True,
    timer_at=AT_START,
    interval="90m",
    hours=1,
)
@ordinary_except(  # a fill after a modification that changes nothing
    market={"S:A": DIP},
    plan=[Action(1, "S:A", "limit", 10, price=45.0, other=0.25), plain(2, "keep", 1)],
    alone=True,
)
@ordinary_except(  # a fill while only one of two symbols has bars, and events of it
    market={"S:A": [*FLAT, *FLAT[:2], (0.5, 0.5, 0.25, 0.25), *FLAT], "S:B": FLAT * 3},
    plan=[Action(10, "S:A", "limit", 1, price=0.25, other=0.25)],
    pauses=(4, 6),
)
@ordinary_except(  # a profit that is booked after its fill, while a hook listens
    market={"S:A": [*FLAT, *CALM, *CALM]},
    plan=[plain(0, "buy", 10), plain(7, "close", 1), plain(8, "buy", 1)],
    alone=True,
    limits=Limits(max_daily_loss=Decimal(40)),
    hours=1,
    listens=True,
)
@ordinary_except(  # a position next to another one, both with unrealised profit
    market={"S:A": [*FLAT, *CALM, *CALM]},
    plan=[plain(0, "buy", 10), plain(7, "sell", 4), plain(8, "buy", 1)],
    alone=True,
    options={"mode": PositionMode.HEDGING},
    limits=Limits(max_daily_loss=Decimal(40)),
    hours=1,
    listens=True,
)
@given(
    market=markets,
    plan=st.lists(actions, max_size=12),
    options=costs,
    base=st.sampled_from([Sighted, SightedBetween]),
    alone=st.booleans(),
    timer_at=st.sampled_from([NEVER, AT_START, 2, 5]),
    interval=st.sampled_from(["1h", "90m", "6h", "1d"]),
    limits=st.sampled_from(
        [
            NO_LIMITS,
            Limits(max_daily_loss=Decimal(1)),
            Limits(max_daily_loss=Decimal(40)),
            Limits(max_daily_loss=Decimal(500), max_position_notional=Decimal(2000)),
            Limits(max_order_notional=Decimal(1000), max_orders_per_minute=2),
        ]
    ),
    hours=st.sampled_from([12, 1]),
    pauses=st.sampled_from([(0, 0), (3, 3), (5, 5), (4, 6)]),
    listens=st.booleans(),
)
def test_looking_shows_what_events_would_have_told(
    market: dict[str, list[Row]],
    plan: list[Action],
    options: dict[str, object],
    base: type[Sighted],
    alone: bool,
    timer_at: int,
    interval: str,
    limits: Limits,
    hours: int,
    pauses: tuple[int, int],
    listens: bool,
) -> None:
    if alone:
        market = {"S:A": market["S:A"]}
        plan = [action for action in plan if action.symbol == "S:A"]
    kind = type("SightedThen", (base,), {"timer_at": timer_at, "interval": interval})
    looking: Sighted
    told: Sighted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daily_loss, "_FEW", 1)  # days are short
        patch.setattr(runs, "_MANY_CANDLES", 0)
        one, looking = run(kind, market, plan, options, limits, hours, pauses)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedVenue, "let_look", lambda self, witness, tells=None: None)
        patch.setattr(SimulatedVenue, "direct", None)
        patch.setattr(CandleRuns, "handler", lambda self, hook: self.one_by_one)
        patch.setattr(PlainOrders, "accept", lambda self, request: None)
        if listens:
            kind = type(kind.__name__, (Listening, kind), {})
        other, told = run(kind, market, plan, options, limits, hours, pauses)
    for here, there in zip(looking.seen, told.seen, strict=True):
        assert here == there
    assert (one.fills, one.orders, one.events) == (other.fills, other.orders, other.events)
    assert (one.positions, one.equity) == (other.positions, other.equity)


class Narrow(Random):
    """Decides only at the bars of its own symbols, whatever else it is sent."""

    def on_candle(self, candle: Candle) -> None:
        if candle.timeframe == "12h" and candle.symbol in SYMBOLS:
            super().on_candle(candle)


class Looking(Narrow):
    """Looks at its positions, the last symbol first."""

    def on_candle(self, candle: Candle) -> None:
        for symbol in reversed(SYMBOLS):
            assert self.position(symbol).symbol == symbol
        super().on_candle(candle)


class Awaiting(Narrow):
    """Has an asynchronous hook."""

    async def on_candle(self, candle: Candle) -> None:  # type: ignore[override]
        super().on_candle(candle)
        await sleep(0)


closing = st.builds(plain, st.integers(0, 12), st.just("close_all"), st.just(1))


@pytest.mark.timeout(600)
@example(  # a short position that is held beyond the last price, until a longer candle ends
    market={"S:A": CALM, "S:B": CALM},
    plan=[plain(0, "sell", 10)],
    options={"borrow_rate": Decimal(2)},
    kind=Narrow,
    coarser=["1w"],
    is_beside=False,
)
@example(  # positions that are read in another order than they were opened in
    market={"S:A": CALM, "S:B": CALM},
    plan=[plain(0, "buy", 1), Action(1, "S:B", "buy", 1, 0.25, 0.25), plain(6, "close_all", 1)],
    options={},
    kind=Looking,
    coarser=[],
    is_beside=False,
)
@given(
    market=markets,
    plan=st.lists(actions | closing, max_size=12),
    options=costs,
    kind=st.sampled_from([Narrow, Looking, Awaiting]),
    coarser=st.lists(st.sampled_from(["1d", "1w", "1M"]), unique=True),
    is_beside=st.booleans(),
)
def test_what_a_strategy_does_not_use_changes_nothing(
    market: dict[str, list[Row]],
    plan: list[Action],
    options: dict[str, object],
    kind: type[Narrow],
    coarser: list[str],
    is_beside: bool,
) -> None:
    """Reading positions, awaiting, candles of other timeframes, and a symbol it does not trade."""

    def trade(kind: type[Random], more: list[str], series: list[BarSeries]) -> Outcome:
        entries = [f"{symbol}:candle_12h" for symbol in SYMBOLS] + more
        wanted = parse_subscriptions(",".join(entries))
        exchange = Exchange(series, ExchangeOptions(**options), wanted)  # type: ignore[arg-type]
        strategy = type("Same", (kind,), {})(plan, exchange)
        asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
        return exchange.outcome()

    one = trade(Narrow, [], series_of(market))
    more = [f"{symbol}:candle_{timeframe}" for symbol in SYMBOLS for timeframe in coarser]
    beside = {"S:C": market["S:A"]} if is_beside else {}
    other = trade(kind, more, series_of(market | beside))
    assert (one.fills, one.orders, one.cash) == (other.fills, other.orders, other.cash)
    assert (one.equity, one.financing) == (other.equity, other.financing)


def fills_until(fills: list[Fill], bar: int) -> list[Fill]:
    return [fill for fill in fills if fill.time_ns <= bar * STEP and fill.bar_ns < bar * STEP]


@many
@pytest.mark.timeout(600)
@given(
    market=markets,
    plan=st.lists(actions, max_size=12),
    options=costs,
    cut=st.integers(1, 11),
    other=st.lists(rows(), min_size=12, max_size=12),
)
def test_the_future_never_changes_the_past(
    market: dict[str, list[Row]],
    plan: list[Action],
    options: dict[str, object],
    cut: int,
    other: list[Row],
) -> None:
    """Cut off the future or change its prices: the past stays the same."""
    whole, seen = watch(market, plan, options)
    truncated = {symbol: bars[:cut] for symbol, bars in market.items()}
    corrupted = {symbol: bars[:cut] + other[: len(bars[cut:])] for symbol, bars in market.items()}
    known = fills_until(whole.fills, cut)
    assert fills_until(watch(truncated, plan, options)[0].fills, cut) == known
    changed, seen_otherwise = watch(corrupted, plan, options)
    assert fills_until(changed.fills, cut) == known
    for one, another in zip(seen, seen_otherwise, strict=False):
        assert one == another
        if isinstance(one[0], Candle) and one[0].stamp == (cut - 1) * STEP:
            break  # the last event that both runs share


class Trending(Strategy):
    """Buys what rose and sells what fell, with a stop."""

    def on_start(self) -> None:
        self.quick, self.calm = self.sma(5), self.ema(20)

    def on_candle(self, candle: Candle) -> None:
        symbol = candle.symbol
        if crossed_above(self.quick[symbol], self.calm[symbol]):
            self.target(symbol, fraction=0.3)
        elif crossed_below(self.quick[symbol], self.calm[symbol]):
            self.target(symbol, fraction=-0.2)


def replay(series: list[BarSeries]) -> Outcome:
    exchange = Exchange(series, ExchangeOptions(fee_rate=Decimal("0.001")))
    asyncio.run(Runner(Trending(), SimulatedVenue(exchange), mode="backtest").run())
    return exchange.outcome()


def test_on_real_prices_the_books_balance_and_the_future_changes_nothing() -> None:
    whole = replay(load_bars([PRICES]).series)
    assert len(whole.fills) > 150
    check_identities(whole)
    for year in (2009, 2010, 2012):
        cut = datetime(year, 1, 1, tzinfo=UTC)
        known = [fill for fill in whole.fills if fill.bar_ns < ns_of(cut)]
        assert replay(load_bars([PRICES], end=cut).series).fills == known


class SightedTogether(Sighted):
    """Also looks and acts when all candles of an instant have come."""

    def on_candles(self, candles: list[Candle]) -> None:
        self.seen.append([candle.symbol for candle in candles])
        self.note()
        if self.count % 3 == 0 and self.count < len(self.plan):
            self.act(self.plan[self.count])


class Hearing(SightedTogether):
    """Also looks at every event of its trading."""

    def on_order(self, event: OrderEvent) -> None:
        self.seen.append((event.event, event.order))
        self.note()

    def on_trade(self, trade: Trade) -> None:
        self.seen.append(trade)
        self.note()


class Timed(SightedTogether):
    timer_at: ClassVar[int] = AT_START


@settings(max_examples=settings().max_examples // 2)
@pytest.mark.timeout(600)
@given(
    market=markets,
    plan=st.lists(actions, max_size=14),
    options=costs,
    kind=st.sampled_from([SightedTogether, SightedBetween, Hearing, Timed]),
    limits=st.sampled_from([NO_LIMITS, Limits(max_daily_loss=Decimal(5))]),
    pauses=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_a_strategy_sees_the_same_over_sockets_as_in_process(
    market: dict[str, list[Row]],
    plan: list[Action],
    options: dict[str, Any],
    kind: type[Sighted],
    limits: Limits,
    pauses: tuple[int, int],
) -> None:
    outcome, in_process = run(kind, market, plan, options, limits, pauses=pauses)
    exchange = Exchange(series_of(market, pauses=pauses), ExchangeOptions(**options))
    strategy = kind(plan, exchange)

    async def serve() -> None:
        async with over_sockets(exchange) as venue:
            await Runner(strategy, venue, mode="backtest", desk=desk_for(limits)).run()

    asyncio.run(serve())
    assert strategy.seen == in_process.seen
    assert exchange.outcome().fills == outcome.fills
