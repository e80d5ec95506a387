"""Reconciliation of the book with a venue after missed events."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from math import inf
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strategy_runtime import Gap, OrderEvent, PositionEvent, Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.errors import ApiError, FateUnknown
from strategy_runtime.protocol.enums import (
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
)
from strategy_runtime.protocol.events import TradeEvent
from strategy_runtime.protocol.models import (
    Account,
    Order,
    OrderHandle,
    OrderRequest,
    Position,
    Trade,
)
from strategy_runtime.proxy import Endpoints, ProxyVenue
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.desk.doubts import Doubts
from strategy_runtime.runtime.link.reconciliation import (
    Difference,
    Snapshot,
    differences,
    snapshot_after_gap,
    take_snapshot,
    unlisted,
    was_reset,
)
from strategy_runtime.runtime.runner import Runner
from tests.chaos import virtual_time
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.proxy.scripted import CONNECTED, ScriptedProxy

ORDER = {
    "id": "ord-1",
    "client_order_id": "Looks-bt-1",
    "symbol": "S:X",
    "side": "BUY",
    "order_type": "LIMIT",
    "quantity": "5",
    "limit_price": "10",
    "filled_quantity": "0",
    "status": "OPEN",
}
FILLED = {**ORDER, "status": "FILLED", "filled_quantity": "5", "average_fill_price": "10"}
REFUSAL = {"code": "NOT_OFFERED", "message": "no"}
POSITION = {"id": "p-1", "symbol": "S:X", "side": "LONG", "quantity": "5"}


async def test_an_order_filled_in_the_gap_is_no_longer_open() -> None:
    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await connected.wait()
        proxy.answers["GET", "/orders"] = [(200, [])]
        proxy.answers["GET", "/orders/history"] = [(200, [FILLED])]
        proxy.answers["GET", "/positions"] = [(200, [POSITION])]

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        # An event that the snapshot already includes.
        filled = {"type": "order", "event": "ORDER_FILLED", "event_id": "evt-1", "order": FILLED}
        await proxy.say(socket, CONNECTED, filled)
        await proxy.until_acked("evt-1")
        runner.stop()
        await asyncio.Event().wait()

    seen: list[str] = []
    connected = asyncio.Event()

    class Looks(Strategy):
        def on_connect(self) -> None:
            connected.set()

        def on_order(self, event: OrderEvent) -> None:
            words = "synthetic " if event.synthetic else ""
            seen.append(f"{words}{event.event}: {self.position('S:X').quantity}")

        def on_disconnect(self) -> None:
            seen.append(f"lost: {len(self.orders())} open, {self.position('S:X').quantity}")

        def on_reconnect(self, gap: Gap) -> None:
            seen.append(f"back: {len(self.orders())} open, {self.position('S:X').quantity}")

        def on_stop(self) -> None:
            seen.append(f"end: {len(self.orders())} open, {self.position('S:X').quantity}")

    async with ScriptedProxy(first, second).serving() as proxy:
        proxy.answers["GET", "/orders"] = [(200, [ORDER])]
        runner = Runner(Looks(), ProxyVenue(proxy.endpoints, is_live=True), mode="live")
        async with asyncio.timeout(20):
            await runner.run()
    assert seen == [
        "lost: 1 open, 0",
        "synthetic ORDER_FILLED: 5",
        "back: 0 open, 5",
        "end: 0 open, 5",
    ]


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("own_id", ["Looks-bt-1", None])
async def test_where_no_ended_orders_are_listed_one_is_asked_for_by_its_id(
    status: int, own_id: str | None
) -> None:
    book = Book()
    book.load(account(), [], [replace(order(1, OrderStatus.OPEN), client_order_id=own_id)])
    async with ScriptedProxy().serving() as proxy:
        proxy.answers["GET", "/orders/history"] = [(status, REFUSAL)]
        venue = ProxyVenue(proxy.endpoints, is_live=True)
        unknown = await take_snapshot(venue, book)
        proxy.answers["GET", "/orders/ord-1"] = [(200, {**FILLED, "client_order_id": own_id})]
        known = await take_snapshot(venue, book)
        await venue.close()
    assert [each.id for each in unknown.absent] == ["ord-1"]
    assert [each.status for each in known.orders] == [OrderStatus.FILLED]
    assert known.absent == []


PARTLY = {**ORDER, "status": "PARTIALLY_FILLED", "filled_quantity": "2"}
OTHER = {**ORDER, "id": "ord-2", "client_order_id": "Acts-bt-2", "symbol": "S:Y"}


def on_its_way(number: int, **payload: object) -> dict[str, object]:
    kind = next(iter(payload))
    word = {"order": "ORDER_FILLED", "position": "POSITION_MODIFIED"}.get(kind, "BALANCE_UPDATED")
    return {"type": kind, "event": word, "event_id": f"evt-{number}", **payload}


class Acts(Strategy):
    """Records its position in every hook, and would act on it."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[str, int, int]] = []
        self.connected = asyncio.Event()

    def on_connect(self) -> None:
        self.connected.set()

    def on_event(self, event: object) -> None:
        here, there = (int(self.position(symbol).quantity) for symbol in ("S:X", "S:Y"))
        self.held.append((type(event).__name__, here, there))


async def heard_after_a_gap(
    strategy: Acts, answers: Mapping[str, list[object]], *events: dict[str, object]
) -> None:
    """Let a strategy with two open orders lose the link, and send these events afterwards."""

    async def first(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED)
        await strategy.connected.wait()
        strategy.held.clear()
        for path, answer in answers.items():
            proxy.answers["GET", path] = [(200, answer)]

    async def second(proxy: ScriptedProxy, socket: web.WebSocketResponse) -> None:
        await proxy.say(socket, CONNECTED, *events, on_its_way(99, account=ACCOUNT))
        await proxy.until_acked("evt-99")
        runner.stop()
        await asyncio.Event().wait()

    async with ScriptedProxy(first, second).serving() as proxy:
        proxy.answers["GET", "/orders"] = [(200, [ORDER, OTHER])]
        runner = Runner(strategy, ProxyVenue(proxy.endpoints, is_live=True), mode="live")
        async with asyncio.timeout(20):
            await runner.run()


ACCOUNT = {"balance": "1000", "equity": "1000", "currency": "USD"}


async def test_positions_that_were_on_their_way_do_not_move_the_book_backwards() -> None:
    strategy = Acts()
    await heard_after_a_gap(
        strategy,
        {
            "/orders": [OTHER],
            "/orders/history": [FILLED],
            "/positions": [POSITION],
        },
        on_its_way(1, order=PARTLY),
        on_its_way(2, position={**POSITION, "quantity": "2"}),
        on_its_way(3, order=FILLED),
        on_its_way(4, position=POSITION),
        # What happens after the snapshot counts, of course.
        on_its_way(5, order={**OTHER, "status": "FILLED", "filled_quantity": "5"}),
        on_its_way(6, position={**POSITION, "id": "p-2", "symbol": "S:Y"}),
        on_its_way(7, order={**FILLED, "id": "ord-3", "client_order_id": "Acts-3", "side": "SELL"}),
        on_its_way(8, position={**POSITION, "quantity": "0"}),
    )
    held = [each[1:] for each in strategy.held if each[0] in ("OrderEvent", "PositionEvent")]
    assert held == [(5, 0)] * 6 + [(5, 5)] * 2 + [(0, 5)] * 2


async def test_the_first_of_several_hooks_finds_the_whole_truth() -> None:
    strategy = Acts()
    both = [FILLED, {**OTHER, "status": "FILLED", "filled_quantity": "5"}]
    await heard_after_a_gap(
        strategy,
        {
            "/orders": [],
            "/orders/history": [*both],
            "/positions": [POSITION, {**POSITION, "id": "p-2", "symbol": "S:Y", "side": "SHORT"}],
        },
    )
    told = [held for held in strategy.held if held[0] in ("OrderEvent", "PositionEvent")]
    assert [held[0] for held in told] == ["OrderEvent"] * 2 + ["PositionEvent"] * 2
    assert {held[1:] for held in told} == {(5, -5)}


ZERO = Decimal(0)


def account(balance: int = 1000) -> Account:
    return Account(balance=Decimal(balance), equity=Decimal(balance))


def order(
    number: int, status: OrderStatus, filled: int = 0, side: Side = Side.BUY, symbol: str = "S:X"
) -> Order:
    return Order(
        id=f"ord-{number}",
        client_order_id=f"c-{number}",
        symbol=symbol,
        side=side,
        status=status,
        quantity=Decimal(5),
        filled_quantity=Decimal(filled),
        average_fill_price=Decimal(10) if filled else None,
    )


def position(signed: int, symbol: str = "S:X", number: int = 1) -> Position:
    return Position(
        id=f"pos-{number}",
        symbol=symbol,
        side=PositionSide.LONG if signed >= 0 else PositionSide.SHORT,
        quantity=abs(Decimal(signed)),
        average_entry_price=Decimal(10),
    )


def trade(number: int, quantity: int, side: Side = Side.BUY, symbol: str = "S:X") -> Trade:
    return Trade(
        id=f"trd-{number}",
        order_id=f"ord-{number}",
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(10),
    )


def snapshot(
    *,
    orders: tuple[Order, ...] = (),
    positions: tuple[Position, ...] = (),
    trades: tuple[Trade, ...] = (),
    absent: tuple[Order, ...] = (),
    balance: int = 1000,
) -> Snapshot:
    return Snapshot(account(balance), list(positions), list(orders), list(trades), list(absent))


def apply(book: Book, said: Snapshot) -> list[Difference]:
    """Return all differences, each applied before the next is asked for."""
    events: list[Difference] = []
    for event in differences(book, said):
        assert event.synthetic
        events.append(event)
        if isinstance(event, OrderEvent):
            book.apply_order(event)
        elif isinstance(event, TradeEvent):
            book.apply_trade(event)
        elif isinstance(event, PositionEvent):
            book.apply_position(event)
        else:
            book.apply_account(event)
    return events


def words(events: list[Difference]) -> list[str]:
    return [str(event.event_id) for event in events]


def test_a_missed_fill_is_told_in_the_order_in_which_it_happened() -> None:
    book = Book()
    book.load(account(), [], [order(1, OrderStatus.OPEN)])
    said = snapshot(
        orders=(order(1, OrderStatus.FILLED, 5),),
        positions=(position(5),),
        trades=(trade(1, 5),),
        balance=999,
    )
    assert words(apply(book, said)) == [
        "rec:ord-1:FILLED:5",
        "rec:trd-1",
        "rec:pos-1:5",
        "rec:999",
    ]
    assert book.position("S:X").quantity == 5
    assert book.orders() == []


def test_a_position_closed_in_the_gap_is_flat() -> None:
    book = Book()
    book.load(account(), [position(5)], [])
    assert words(apply(book, snapshot())) == ["rec:pos-1:0"]
    assert book.position("S:X").is_flat
    assert book.position("S:X").average_entry_price == 0


def test_a_position_made_by_fills_alone_is_flat_when_the_venue_has_none() -> None:
    book = Book()
    book.load(account(), [], [order(1, OrderStatus.OPEN)])
    apply(book, snapshot(orders=(order(1, OrderStatus.FILLED, 5),), positions=(position(5),)))
    apply(book, snapshot())
    assert book.position("S:X").is_flat


def test_events_of_positions_say_what_has_become_of_them() -> None:
    def told(*positions: Position) -> list[str]:
        events = apply(book, snapshot(positions=positions))
        return [
            f"{each.event} {each.event_id}" for each in events if isinstance(each, PositionEvent)
        ]

    book = Book()
    book.load(account(), [position(5)], [])
    dearer = replace(position(5), average_entry_price=Decimal(12))
    assert told(dearer) == ["POSITION_MODIFIED rec:pos-1:5"]
    assert book.position("S:X").average_entry_price == 12
    fill = OrderEvent(
        event=OrderEventKind.ORDER_FILLED, order=order(1, OrderStatus.FILLED, filled=5)
    )
    book.apply_order(fill)
    assert told(dearer) == ["POSITION_MODIFIED rec:pos-1:5"], "the fill is contradicted"
    assert told(position(5, number=2)) == [
        "POSITION_CLOSED rec:pos-1:0",
        "POSITION_OPENED rec:pos-2:5",
    ]
    assert told() == ["POSITION_CLOSED rec:pos-2:0"]
    book.apply_order(replace(fill, order=order(2, OrderStatus.FILLED, filled=5)))
    assert told() == ["POSITION_CLOSED rec:S:X:0"], "likewise, without any position"
    assert book.position("S:X").is_flat


def test_orders_are_told_of_in_the_order_of_their_creation() -> None:
    first, second = (datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2))
    later = replace(order(1, OrderStatus.OPEN), created_at=second)
    earlier = replace(order(2, OrderStatus.OPEN), created_at=first)
    said = apply(Book(), snapshot(orders=(later, earlier)))
    assert words(said)[:2] == ["rec:ord-2:OPEN:0", "rec:ord-1:OPEN:0"]


@pytest.mark.parametrize("before", [OrderStatus.PENDING_CANCEL, OrderStatus.OPEN])
@pytest.mark.parametrize("now", [OrderStatus.OPEN, OrderStatus.PENDING])
def test_an_open_order_is_as_the_venue_says_it_is(before: OrderStatus, now: OrderStatus) -> None:
    book = Book()
    book.load(account(), [], [order(1, before)])
    said = snapshot(orders=(order(1, now),))
    apply(book, said)
    assert [each.status for each in book.orders()] == [now]
    assert apply(book, said) == []


def test_a_stale_list_does_not_open_an_ended_order_again() -> None:
    book = Book()
    book.load(account(), [], [order(1, OrderStatus.OPEN)])
    apply(book, snapshot(orders=(order(1, OrderStatus.CANCELLED),)))
    apply(book, snapshot(orders=(order(1, OrderStatus.OPEN),)))
    assert book.orders() == []


def test_an_order_the_venue_does_not_know_is_taken_for_cancelled() -> None:
    book = Book()
    opened = order(1, OrderStatus.OPEN)
    book.load(account(), [], [opened])
    assert words(apply(book, snapshot(absent=(opened,)))) == ["rec:ord-1:absent"]
    assert book.orders() == []


def test_what_the_book_knows_is_not_told() -> None:
    book = Book()
    partly = order(1, OrderStatus.PARTIALLY_FILLED, 2)
    book.load(account(), [position(2)], [partly], [trade(1, 2)])
    assert (
        apply(book, snapshot(orders=(partly,), positions=(position(2),), trades=(trade(1, 2),)))
        == []
    )


def test_events_that_were_on_their_way_change_nothing_any_more() -> None:
    book = Book()
    book.load(account(), [], [order(1, OrderStatus.OPEN)])
    filled = order(1, OrderStatus.FILLED, 5)
    said = snapshot(orders=(filled,), positions=(position(5),), trades=(trade(1, 5),))
    for event in apply(book, said):
        if isinstance(event, OrderEvent):
            assert not book.apply_order(event)
        elif isinstance(event, TradeEvent):
            assert not book.apply_trade(event)
        elif isinstance(event, PositionEvent):
            book.apply_position(event)
    assert book.position("S:X").quantity == 5


_SYMBOLS = st.sampled_from(["S:X", "S:Y"])
_SAID = st.builds(
    lambda orders, held, fills, balance: snapshot(
        orders=tuple(
            order(number, status, filled if status is not OrderStatus.FILLED else 5, side, symbol)
            for number, (status, filled, side, symbol) in orders.items()
        ),
        positions=tuple(
            position(signed, symbol, number)
            for number, (symbol, signed) in enumerate(held.items())
            if signed
        ),
        trades=tuple(trade(number, quantity) for number, quantity in fills.items()),
        balance=balance,
    ),
    st.dictionaries(
        st.integers(1, 4),
        st.tuples(
            st.sampled_from([each for each in OrderStatus if each.is_known]),
            st.integers(1, 4),
            st.sampled_from(Side),
            _SYMBOLS,
        ),
    ),
    st.dictionaries(_SYMBOLS, st.integers(-9, 9)),
    st.dictionaries(st.integers(1, 4), st.integers(1, 5)),
    st.integers(0, 9),
)


@given(st.lists(_SAID, min_size=1, max_size=4))
def test_doing_it_again_moves_nothing(said: list[Snapshot]) -> None:
    book = Book()
    for each in said:
        apply(book, each)
        held = {part.symbol: part.signed_quantity for part in each.positions}
        assert {net.symbol: net.quantity for net in book.positions} == held
        assert book.account.balance == each.account.balance
        assert all(isinstance(event, OrderEvent) for event in apply(book, each))
        assert {net.symbol: net.quantity for net in book.positions} == held


@given(_SAID)
def test_a_second_reconciliation_says_nothing(said: Snapshot) -> None:
    book = Book()
    apply(book, said)
    assert apply(book, said) == []


class FillsBetweenRequests(ProxyVenue):
    """A buy order for 5, with fills just before the answers to the requests of given numbers."""

    def __init__(self, fills: Mapping[int, int]) -> None:
        super().__init__(Endpoints(ws_url="ws://none", rest_url="http://none"), is_live=True)
        self.fills = fills
        self.requests = 0
        self.executions: list[Trade] = []

    def answer(self) -> int:
        quantity = self.fills.get(self.requests, 0)
        self.requests += 1
        if quantity:
            name = f"trd-{len(self.executions)}"
            self.executions.insert(0, replace(trade(1, quantity), id=name))
        return int(sum(each.quantity for each in self.executions))

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        filled = self.answer()
        status = OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.OPEN
        one = order(1, OrderStatus.FILLED if filled == 5 else status, filled)
        return [one] if one.is_open or client_order_id else []

    async def positions(self) -> list[Position]:
        filled = self.answer()
        return [position(filled)] if filled else []

    async def account(self) -> Account:
        self.answer()
        return account()

    async def trades(self, *, limit: int = 1000) -> list[Trade]:
        self.answer()
        return self.executions[:limit]


@pytest.mark.parametrize("second", range(12))
@pytest.mark.parametrize("first", range(12))
async def test_fills_between_the_requests_of_a_snapshot_are_told_once(
    first: int, second: int
) -> None:
    book = Book()
    book.load(account(), [], [order(1, OrderStatus.OPEN)])
    venue = FillsBetweenRequests({first: 5} if first == second else {first: 2, second: 3})
    said = await take_snapshot(venue, book)
    told = sum(each.quantity for each in said.trades)
    apply(book, said)
    assert book.position("S:X").quantity == told == sum(p.quantity for p in said.positions)
    # Events of the same fills change nothing, those of later ones do.
    filled = order(1, OrderStatus.FILLED, 5)
    book.apply_order(OrderEvent(event=OrderEventKind.ORDER_FILLED, order=filled))
    for each in venue.executions:
        book.apply_trade(TradeEvent(trade=each))
    assert book.position("S:X").quantity == 5


class AllEnded(ProxyVenue):
    """A venue without open orders, whose answers take a second, and of which some fail."""

    def __init__(self, fails_every: int = 10**9) -> None:
        super().__init__(Endpoints(ws_url="ws://none", rest_url="http://none"), is_live=True)
        self.fails_every = fails_every
        self.asked: list[str] = []

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        await sleep(1)
        if client_order_id is None:
            return []
        self.asked.append(client_order_id)
        if not len(self.asked) % self.fails_every:
            raise ApiError(429, "RATE_LIMITED", "not so fast")
        return [order(int(client_order_id.removeprefix("c-")), OrderStatus.CANCELLED)]

    async def positions(self) -> list[Position]:
        return []

    async def account(self) -> Account:
        return account()

    async def trades(self, *, limit: int = 1000) -> list[Trade]:
        return []


def test_orders_that_ended_in_a_gap_are_asked_for_once_each_and_several_at_a_time() -> None:
    book, venue, loop = Book(), AllEnded(), VirtualLoop()
    book.load(account(), [], [order(number, OrderStatus.OPEN) for number in range(100)])
    began = loop.time()
    said = virtual_time.run(take_snapshot(venue, book), loop, VirtualTime(loop))
    assert loop.time() - began <= 15
    assert sorted(venue.asked) == sorted(f"c-{number}" for number in range(100))
    assert {each.status for each in said.orders} == {OrderStatus.CANCELLED}
    apply(book, said)
    assert book.orders() == []


def test_what_is_known_of_a_gap_is_kept_where_the_venue_does_not_answer_everything() -> None:
    book, venue, loop = Book(), AllEnded(fails_every=20), VirtualLoop()
    book.load(account(), [], [order(number, OrderStatus.OPEN) for number in range(100)])
    said = virtual_time.run(snapshot_after_gap(venue, book), loop, VirtualTime(loop))
    assert len(said.orders) == 100
    assert len(venue.asked) < 150


class NeverAtRest(FillsBetweenRequests):
    """A venue with an order so large that some of it fills before every answer."""

    def answer(self) -> int:
        self.executions.insert(0, replace(trade(1, 1), id=f"trd-{self.requests}"))
        return super().answer()


async def test_a_venue_that_is_never_at_rest_is_read_again_soon() -> None:
    book = Book()
    book.load(account(), [], [replace(order(1, OrderStatus.OPEN), quantity=Decimal(10_000))])
    assert not book.is_inconsistent
    said = await take_snapshot(NeverAtRest({}), book)
    assert not said.is_of_one_moment
    apply(book, said)
    assert book.is_inconsistent


class Executes(FillsBetweenRequests):
    """A venue of executions only, newest first; records how many were asked for."""

    def __init__(self, count: int) -> None:
        super().__init__({})
        self.asked: list[int] = []
        self.executions = [replace(trade(1, 1), id=f"trd-{n}") for n in reversed(range(count))]

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        return []

    async def positions(self) -> list[Position]:
        return []

    async def trades(self, *, limit: int = 1000) -> list[Trade]:
        self.asked.append(limit)
        return self.executions[:limit]


class Lags(Executes):
    """A venue that answers from a replica, which does not know the orders for some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(0)
        self.until = monotonic() + seconds

    async def orders(self, *, client_order_id: str | None = None) -> list[Order]:
        return [order(1, OrderStatus.OPEN)] if monotonic() >= self.until else []

    async def order(self, order_id: str) -> Order | None:
        return None


@pytest.mark.parametrize(("listed", "is_reset"), [(999, True), (1000, False)])
async def test_a_venue_that_may_have_more_executions_than_it_lists_was_not_reset(
    listed: int, is_reset: bool
) -> None:
    book, venue = Book(), Executes(listed)
    hear(book, venue, 5000)
    assert await was_reset(venue, book) is is_reset


@pytest.mark.parametrize(
    ("known", "found", "is_same"),
    [
        ("c-1", {}, True),
        ("c-1", {"client_order_id": None}, True),
        (None, {}, True),
        ("c-1", {"client_order_id": "c-9"}, False),
        ("c-1", {"symbol": "S:Y"}, False),
        ("c-1", {"side": Side.SELL}, False),
    ],
)
async def test_what_a_venue_has_under_an_id_may_be_another_order(
    known: str | None, found: dict[str, Any], is_same: bool
) -> None:
    class Finds(Executes):
        async def order(self, order_id: str) -> Order | None:
            return replace(order(1, OrderStatus.FILLED, 5), **found)

    book = Book()
    book.load(account(), [], [replace(order(1, OrderStatus.OPEN), client_order_id=known)])
    (ours,) = book.orders()
    assert (await unlisted(Finds(0), book, ours) is not None) is is_same


async def test_an_order_is_looked_for_from_when_the_venue_has_answered_though_it_is_pending() -> (
    None
):
    book, venue = Book(), Lags(inf)
    request = OrderRequest(
        symbol="S:X", side=Side.BUY, quantity=Decimal(5), order_type=OrderType.MARKET
    )
    book.expect(request, "c-1")
    assert (await take_snapshot(venue, book)).absent == []
    book.accept("c-1", OrderHandle(id="ord-1", status=OrderStatus.PENDING))
    assert [each.id for each in (await take_snapshot(venue, book)).absent] == ["ord-1"]
    pending = order(1, OrderStatus.PENDING)
    book.apply_order(OrderEvent(event=OrderEventKind.ORDER_CREATED, order=pending))
    assert (await take_snapshot(venue, book)).absent == [pending]


@pytest.mark.parametrize(("seconds", "absent"), [(7, []), (8, ["ord-1"])])
def test_a_venue_that_lags_behind_is_asked_five_times_for_an_order(
    seconds: float, absent: list[str]
) -> None:
    async def said() -> Snapshot:
        book = Book()
        book.load(account(), [], [order(1, OrderStatus.OPEN)])
        return await snapshot_after_gap(Lags(seconds), book)

    loop = VirtualLoop()
    found = virtual_time.run(said(), loop, VirtualTime(loop))
    assert [each.id for each in found.absent] == absent


def test_an_order_that_the_venue_has_not_got_ten_seconds_later_never_arrived() -> None:
    async def ask() -> list[str]:
        request = OrderRequest(
            symbol="S:X", side=Side.BUY, quantity=Decimal(1), order_type=OrderType.MARKET
        )
        book = Book()
        book.expect(request, "c-1")
        doubts = Doubts(Lags(60), book, None)
        doubts.enter(FateUnknown("c-1", "S:X", "reset"))
        await sleep(9)
        with pytest.raises(ApiError, match="the fate of an earlier order in S:X is not known"):
            await doubts.check_symbol_clear("S:X")
        await sleep(1)
        await doubts.check_symbol_clear("S:X")
        return book.anomalies

    loop = VirtualLoop()
    said = virtual_time.run(ask(), loop, VirtualTime(loop))
    assert said[1:] == ["S:X c-1 never arrived; orders in S:X are sent again"]


def hear(book: Book, venue: Executes, *numbers: int) -> None:
    for number in numbers:
        book.apply_trade(TradeEvent(trade=replace(trade(1, 1), id=f"trd-{number}")))


async def missed(book: Book, venue: Executes) -> set[str]:
    venue.asked.clear()
    said = await take_snapshot(venue, book)
    return {each.id for each in said.trades if not book.has_trade(each.id)}


async def test_few_executions_are_asked_for_where_few_can_be_new() -> None:
    book, venue = Book(), Executes(400)
    assert len(await missed(book, venue)) == 400  # none is known
    assert venue.asked == [10, 1000]
    hear(book, venue, *range(400))
    assert await missed(book, venue) == set()
    assert venue.asked == [410]  # many are new
    assert await missed(book, venue) == set()
    assert venue.asked == [10]


@pytest.mark.parametrize("lost", [[0], [7], [5, 90], [*range(60, 99)], [*range(100)]])
async def test_no_execution_is_beyond_the_few_unless_it_was_listed_before(lost: list[int]) -> None:
    book, venue = Book(), Executes(300)
    hear(book, venue, *range(300))
    await missed(book, venue)
    venue.executions[:0] = [replace(trade(1, 1), id=f"trd-{n}") for n in reversed(range(300, 400))]
    hear(book, venue, *(300 + n for n in range(100) if n not in lost))
    wanted = {f"trd-{300 + n}" for n in lost}
    assert await missed(book, venue) == wanted
    assert await missed(book, venue) == wanted  # until they are known
