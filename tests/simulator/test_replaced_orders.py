"""Orders with a price that are placed, replaced and cancelled at any bar: the fast path for orders
that live for one bar shows and does the same as the general path.
"""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strategy_runtime import Candle, Side, Strategy, TimeInForce
from strategy_runtime.errors import ApiError, OrderRejected
from strategy_runtime.protocol.enums import PositionMode
from strategy_runtime.protocol.models import OrderRequest
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.orders import PlainOrder, RestingOrder
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.simulator.support import MANY, A, B, market, minutes, next_candle, no_short_cuts, order

_Test = TypeVar("_Test", bound=Callable[..., object])
Row = tuple[float, float, float, float]
Deed = tuple[str, str, int]


class Replacing(Strategy):
    """Follows its script at each candle, and notes everything it can see of orders."""

    def __init__(self, script: list[list[Deed]]) -> None:
        super().__init__()
        self.script = script
        self.seen: list[object] = []

    def on_candle(self, candle: Candle) -> None:
        self.note()
        for verb, symbol, price in self.script.pop(0) if self.script else ():
            self.do(verb, symbol, price)
        self.seen.append([(order.id, order.status) for order in self.orders()])

    def on_error(self, error: Exception) -> None:
        self.seen.append(str(error))
        self.note()

    def note(self) -> None:
        self.seen += [self.now, self.orders(), self.orders(B), repr(self.account)]
        self.seen.append(self.account.margin_used)
        self.seen += [self.position(symbol).quantity for symbol in (A, B)]

    def do(self, verb: str, symbol: str, price: int) -> None:
        match verb:
            case "market":
                self.buy(symbol, 1)
            case "buy limit":
                self.buy(symbol, 1, limit=price)
            case "buy stop":
                self.buy(symbol, 1, stop=price)
            case "sell limit":
                self.sell(symbol, 1, limit=price)
            case "sell stop":
                self.sell(symbol, 1, stop=price)
            case "too much":
                self.buy(symbol, 1000, limit=price)
            case "bracket":
                self.buy(symbol, 1, limit=price, stop_loss=price / 2)
            case "close":
                self.close(symbol)
            case "cancel all":
                self.cancel_all(symbol)
            case "cancel":
                for order in self.orders()[-1:]:
                    self.cancel(order)
            case "change":
                for order in self.orders()[:1]:
                    self.modify(order, quantity=2)
            case "timer":
                self.every("2m", self.note)
            case "rare timer":
                self.every("1h", self.note)


class Waiting(Replacing):
    """Also awaits the answers to its orders."""

    async def on_candle(self, candle: Candle) -> None:  # type: ignore[override]
        super().on_candle(candle)
        for ticket in list(self._desk.unsettled):  # type: ignore[attr-defined]
            try:
                self.seen.append(await ticket)
            except OrderRejected as refusal:
                self.seen.append(str(refusal))
            self.note()


prices = st.integers(2, 6)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    opened, high, low, close = (float(draw(prices)) for _ in range(4))
    return opened, max(opened, high, low, close), min(opened, high, low, close), close


verbs = st.sampled_from(
    [
        *("market", "buy limit", "buy limit", "buy stop", "sell limit", "sell stop", "close"),
        *("cancel all", "cancel all", "cancel", "change", "too much", "bracket"),
        "timer",
    ]
)
scripts = st.lists(
    st.lists(st.tuples(verbs, st.sampled_from([A, A, B]), prices), max_size=3), max_size=12
)
FLAT: Row = (4.0, 4.0, 4.0, 4.0)


def ordinary_except(**different: Any) -> Callable[[_Test], _Test]:
    """An example with one symbol and a strategy that awaits nothing, except as given."""
    ordinary = {"market": [FLAT] * 12, "alone": True, "kind": Replacing, "options": {}}
    shown: Callable[[_Test], _Test] = example(**ordinary | different)
    return shown


@settings(max_examples=MANY)
@pytest.mark.timeout(600)
@ordinary_except(  # a limit that is only touched
    market=[FLAT, FLAT, (4.0, 4.0, 3.0, 4.0)] + [FLAT] * 9,
    script=[[], [("buy limit", A, 3)]],
)
@ordinary_except(  # a stop that is only touched
    market=[FLAT, FLAT, (4.0, 5.0, 4.0, 4.0)] + [FLAT] * 9,
    script=[[], [("buy stop", A, 5)]],
)
@ordinary_except(  # an order that is kept, and reached by the open of a later bar
    market=[FLAT] * 4 + [(2.0, 4.0, 2.0, 4.0)] * 8,
    script=[[], [("buy limit", A, 3)]],
)
@ordinary_except(  # an order reached by the open of the very next bar
    market=[FLAT] * 3 + [(2.0, 4.0, 2.0, 4.0)] * 9,
    script=[[], [("buy limit", A, 3)]],
)
@ordinary_except(  # an order cancelled while another is refused at once
    script=[[], [("buy limit", A, 3)], [("cancel all", A, 0), ("too much", A, 4)]],
)
@ordinary_except(  # an order after a cancelled one that waited for the same open
    script=[[("market", A, 4), ("cancel all", A, 4), ("buy limit", B, 4)]],
    alone=False,
    kind=Waiting,
)
@ordinary_except(  # an order that has met a bar when a timer is set, and fills later
    market=[FLAT] * 5 + [(4.0, 4.0, 2.0, 4.0)] * 7,
    script=[[("buy limit", A, 3)], [("timer", A, 0)]],
)
@ordinary_except(  # two orders that one bar reaches
    market=[FLAT, FLAT, (4.0, 5.0, 3.0, 4.0)] + [FLAT] * 9,
    script=[[], [("buy limit", A, 3), ("buy stop", A, 5)]],
)
@ordinary_except(  # an order reached after an open that another cannot pay
    market=[FLAT, FLAT, (20.0, 20.0, 3.0, 4.0)] + [FLAT] * 9,
    script=[[], [("market", A, 4), ("buy limit", A, 3)]],
    options={"cash": Decimal(12)},
)
@ordinary_except(  # a sale that costs more than it brings
    market=[FLAT] * 4 + [(4.0, 4.0, 3.0, 4.0)] * 8,
    script=[[], [("market", A, 4)], [], [("sell stop", A, 3)]],
    options={"cash": Decimal(12), "fee_min": Decimal(7)},
)
@ordinary_except(  # an order that waited in the book when the market came to it
    market=[FLAT, FLAT, (4.0, 4.0, 3.0, 4.0)] + [FLAT] * 9,
    script=[[], [("buy limit", A, 3)]],
    options={"maker_fee_rate": Decimal("0.05")},
)
@ordinary_except(  # a bar with less volume than the order that it reaches
    market=[FLAT, FLAT, (4.0, 4.0, 3.0, 4.0)] + [FLAT] * 9,
    script=[[], [("buy limit", A, 3)]],
    options={"max_volume_share": Decimal("0.001")},
)
@ordinary_except(  # an order reached in the bar at whose end a timer is due
    market=[FLAT] * 59 + [(4.0, 4.0, 3.0, 4.0)] + [FLAT] * 9,
    script=[[("rare timer", A, 0)], *[[("cancel all", A, 0), ("buy limit", A, 3)]] * 66],
)
@given(
    market=st.lists(rows(), min_size=12, max_size=12),
    script=scripts,
    alone=st.booleans(),
    kind=st.sampled_from([Replacing, Waiting]),
    options=st.sampled_from(
        [
            {},
            {"cash": Decimal(12)},
            {"fee_min": Decimal(1)},
            {"max_volume_share": Decimal("0.01")},
            {"slippage_fixed": Decimal(1), "maker_fee_rate": Decimal("0.05")},
        ]
    ),
)
def test_the_short_way_for_orders_that_live_for_a_bar_changes_nothing(
    market: list[Row],
    script: list[list[Deed]],
    alone: bool,
    kind: type[Replacing],
    options: dict[str, Decimal],
) -> None:
    found = []
    for is_short in (True, False):
        strategy = kind(script.copy())
        data = [minutes(A, market)] if alone else [minutes(A, market), minutes(B, market[::-1])]
        with nullcontext() if is_short else no_short_cuts():
            exchange = Exchange(data, ExchangeOptions(**{"cash": Decimal(1000), **options}))  # type: ignore[arg-type]
            asyncio.run(Runner(strategy, SimulatedVenue(exchange), mode="backtest").run())
        outcome = exchange.outcome()
        found.append((strategy.seen, outcome.fills, [*outcome.orders], outcome.events))
    assert found[0] == found[1]


class Looking(Replacing):
    """Notes the class of the exchange's first order at each candle."""

    exchange: ClassVar[Exchange]

    def note(self) -> None:
        self.seen.append(type(self.exchange.followed("ord-1")))


def kinds(script: list[list[Deed]]) -> list[object]:
    """Return the class of an order, placed at the first of ten flat bars, at each of them."""
    Looking.exchange = Exchange([minutes(A, [4.0] * 10)], ExchangeOptions(cash=Decimal(1000)))
    strategy = Looking(script)
    asyncio.run(Runner(strategy, SimulatedVenue(Looking.exchange), mode="backtest").run())
    return strategy.seen[2::2]


def test_an_order_that_is_replaced_at_the_next_bar_never_rests() -> None:
    replaced: list[Deed] = [("cancel all", A, 0), ("buy limit", A, 3)]
    assert kinds([replaced] * 10) == [PlainOrder] * 9


def test_one_that_is_left_alone_comes_to_rest_where_nobody_has_to_look_at_it() -> None:
    assert kinds([[("buy limit", A, 3)]]) == [PlainOrder] + [RestingOrder] * 8


def class_of(request: OrderRequest, price: float = 4, **options: Any) -> type:
    """Return the class of an order that is given at the first candle, to an account with 100."""
    exchange = market(price, price, price, **{"cash": Decimal(100), **options})
    next_candle(exchange, exchange.phases())
    return type(exchange.place(request))


def test_a_market_order_takes_the_short_way() -> None:
    assert class_of(order(client_order_id="a")) is PlainOrder
    assert class_of(order(client_order_id="a", quantity="25")) is PlainOrder


@pytest.mark.parametrize(
    "fields",
    [
        {"time_in_force": TimeInForce.DAY},
        {"time_in_force": TimeInForce.IOC},
        {"stop_loss": Decimal(3)},
        {"side": Side.SELL},
        {"client_order_id": None},
    ],
    ids=str,
)
def test_an_order_with_anything_more_takes_the_general_way(fields: dict[str, Any]) -> None:
    assert class_of(order(**{"client_order_id": "a", **fields})) is RestingOrder


@pytest.mark.parametrize(
    "options",
    [{"leverage": Decimal(2)}, {"latency": 1}, {"mode": PositionMode.HEDGING}],
    ids=str,
)
def test_on_any_other_account_all_orders_take_the_general_way(options: dict[str, Any]) -> None:
    assert class_of(order(client_order_id="a"), **options) is RestingOrder


@pytest.mark.parametrize(
    ("price", "options"),
    [
        (4, {"cash": Decimal(95)}),
        (4.5, {"cash": Decimal(107)}),
        (4, {"cash": Decimal(130), "fee_rate": Decimal("0.5")}),
    ],
)
def test_an_order_that_cash_does_not_cover_is_refused_on_both_ways(
    price: float, options: dict[str, Any]
) -> None:
    for way in nullcontext(), no_short_cuts():
        with way, pytest.raises(ApiError, match="need more than the free margin"):
            class_of(order(client_order_id="a", quantity="24"), price, **options)
