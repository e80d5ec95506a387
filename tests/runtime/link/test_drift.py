"""Drift: events lost on a healthy link are delivered late; in virtual time, with the runner."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from strategy_runtime import OrderEvent, PositionEvent, RateLimitEvent, Strategy
from strategy_runtime.clock import monotonic, now, sleep
from strategy_runtime.errors import Unreachable
from strategy_runtime.protocol.enums import ConnectionEventKind, RateLimitEventKind
from strategy_runtime.protocol.events import ConnectionEvent
from strategy_runtime.proxy.transport import Answer
from strategy_runtime.runtime.runner import Runner
from tests.chaos.plan import Fault, Kind
from tests.chaos.world import MemoryNetwork
from tests.runtime.virtual_run import live_run, market
from tests.simulator.support import order


class Buys(Strategy):
    """Places an order at its first candle, and records when its events come."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, bool, float]] = []
        self.anomalies: list[str] = []
        self.given = False

    def on_candle(self, candle: object) -> None:
        if not self.given:
            self.given = True
            self.buy("S:A", 5)

    def on_order(self, event: OrderEvent) -> None:
        self.heard.append((event.event.value, event.synthetic, monotonic()))

    def on_anomaly(self, description: str) -> None:
        self.anomalies.append(description)


@pytest.mark.parametrize("seed", range(10))
def test_a_fill_that_never_came_is_heard_of_within_seven_seconds(seed: int) -> None:
    # CONNECTED, a candle, ORDER_CREATED and the next candle arrive; events of the fill do not.
    lost = tuple(Fault(Kind.VANISH, at) for at in range(4, 8))
    strategy = Buys()

    async def wait(runner: Runner) -> None:
        await sleep(20)

    live_run(strategy, wait, faults=lost, seed=seed)
    (created, _, _), (filled, synthetic, at) = strategy.heard
    assert (created, filled, synthetic) == ("ORDER_CREATED", "ORDER_FILLED", True)
    assert at - 1002 <= 7
    assert strategy.anomalies == [
        "these events were lost on a healthy link: rec:ord-1:FILLED:5, rec:trd-1, rec:pos-1:5"
    ]


class Late(MemoryNetwork):
    """All events but candles come a second and a half late, in order."""

    def frame_sent(self, wire: Any, frame: bytes) -> None:
        if b'"candle"' in frame or b'"connection"' in frame:
            super().frame_sent(wire, frame)
        else:
            at = self.loop.time() + 1.5 + self.events / 1e6
            self.loop.call_at(at, super().frame_sent, wire, frame)


@pytest.mark.parametrize("seed", range(3))
def test_events_on_their_way_are_not_taken_for_lost(seed: int) -> None:
    class BuysOften(Buys):
        def on_candle(self, candle: object) -> None:
            self.buy("S:A", 1)

    strategy = BuysOften()
    live_run(strategy, lambda runner: sleep(30), network=Late, seed=seed)
    assert strategy.anomalies == []
    assert len(strategy.heard) > 50
    assert not any(is_synthetic for _, is_synthetic, _ in strategy.heard)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("seconds", "rest"), [(20, 20), (None, 10), (7200, 60)])
def test_where_a_limit_is_reached_nobody_looks_until_it_is_lifted(
    seconds: int | None, rest: int, seed: int
) -> None:
    lost = tuple(Fault(Kind.VANISH, at) for at in range(5, 9))
    strategy, exchange = Buys(), market()

    async def wait(runner: Runner) -> None:
        until = None if seconds is None else now() + timedelta(seconds=seconds)
        hit = RateLimitEvent(event=RateLimitEventKind.RATE_LIMIT_HIT, reset_at=until)
        exchange.outbox.append(hit)
        await sleep(rest + 20)

    live_run(strategy, wait, faults=lost, seed=seed, exchange=exchange)
    ((_, _, _), (filled, is_synthetic, at)) = strategy.heard
    assert (filled, is_synthetic) == ("ORDER_FILLED", True)
    assert rest < at - 1000 <= rest + 12


class Watches(Strategy):
    """Records when events of positions come."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[bool, float]] = []

    def on_position(self, event: PositionEvent) -> None:
        self.heard.append((event.synthetic, monotonic() - 1000))


def trades_beside(
    strategy: Strategy, after: float, *passing: bytes, told: ConnectionEvent | None = None
) -> None:
    """Trade as somebody else after some seconds, while only some frames arrive.

    Then the proxy may report on its link to the broker.
    """

    class Deaf(MemoryNetwork):
        def frame_sent(self, wire: Any, frame: bytes) -> None:
            if any(kind in frame for kind in (b'"connection"', b'"candle"', *passing)):
                super().frame_sent(wire, frame)

    async def wait(runner: Runner) -> None:
        await sleep(after)
        exchange.submit(order(quantity="1"))
        if told is not None:
            await sleep(5)
            exchange.outbox.append(told)
        await sleep(80)

    exchange = market()
    live_run(strategy, wait, network=Deaf, exchange=exchange)


def test_what_no_open_order_points_to_is_found_once_a_minute() -> None:
    strategy = Watches()
    trades_beside(strategy, 10)
    ((is_synthetic, at),) = strategy.heard
    assert is_synthetic
    assert 60 < at < 68


def test_what_was_missed_while_the_broker_was_away_is_told_when_it_is_back() -> None:
    strategy = Watches()
    back = ConnectionEvent(event=ConnectionEventKind.BROKER_RECONNECTED)
    trades_beside(strategy, 10, told=back)
    ((is_synthetic, at),) = strategy.heard
    assert is_synthetic
    assert 15 <= at < 20


@pytest.mark.parametrize(("after", "is_late"), [(2, True), (6, False)])
def test_a_position_that_no_fill_has_moved_is_passed_over_for_five_seconds(
    after: float, is_late: bool
) -> None:
    strategy = Watches()
    trades_beside(strategy, after, b'"position"')
    assert strategy.heard[0][0] is is_late


class Waits(Buys):
    """The same, but its third candle takes twelve seconds and places another order."""

    def __init__(self) -> None:
        super().__init__()
        self.bars = 0
        self.freed = 0.0

    async def on_candle(self, candle: object) -> None:  # type: ignore[override]
        super().on_candle(candle)
        self.bars += 1
        if self.bars == 3:
            await sleep(12)
            self.freed = monotonic()
            self.buy("S:A", 1)


@pytest.mark.parametrize("seed", range(10))
def test_what_was_found_while_a_hook_waited_is_told_soon_after_it(seed: int) -> None:
    lost = tuple(Fault(Kind.VANISH, at) for at in range(4, 8))
    strategy = Waits()

    async def wait(runner: Runner) -> None:
        await sleep(30)

    live_run(strategy, wait, faults=lost, seed=seed)
    told = [at for kind, is_synthetic, at in strategy.heard if is_synthetic]
    assert len(told) == 1
    assert told[0] - strategy.freed < 1


class Rests(Strategy):
    """Has one order far from the market, and records its balance at each candle."""

    def __init__(self) -> None:
        super().__init__()
        self.balances: list[Decimal] = []
        self.anomalies: list[str] = []

    def on_candle(self, candle: object) -> None:
        self.balances.append(self.account.balance)
        if not self.orders():
            self.buy("S:A", 1, limit=1)

    def on_anomaly(self, description: str) -> None:
        self.anomalies.append(description)


def test_while_all_is_well_only_open_orders_are_asked_for_every_few_seconds() -> None:
    asked: list[str] = []

    class Notes(MemoryNetwork):
        async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
            if 1010 < monotonic() < 1040:
                asked.append(f"{method} {urlsplit(url).path}")
            return await super().request(method, url, body)

    live_run(Rests(), lambda runner: sleep(45), network=Notes)
    assert set(asked) == {"GET /orders"}
    assert 6 <= len(asked) <= 9


def test_a_balance_that_no_event_has_told_is_found_without_any_event_being_lost() -> None:
    async def wait(runner: Runner) -> None:
        await sleep(10)
        exchange._state.ledger.charge(Decimal(100))
        await sleep(70)

    strategy, exchange = Rests(), market()
    live_run(strategy, wait, exchange=exchange)
    assert strategy.balances[10] - strategy.balances[-1] == 100
    assert strategy.anomalies == []


@pytest.mark.parametrize(("seconds", "is_warned_of"), [(30, True), (4, False)])
def test_a_proxy_that_sends_events_and_answers_no_more_is_warned_of(
    seconds: int, is_warned_of: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class HalfDead(MemoryNetwork):
        async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
            if 1005 < monotonic() < 1005 + seconds:
                raise Unreachable("nobody answers")
            return await super().request(method, url, body)

    live_run(Rests(), lambda runner: sleep(40), network=HalfDead)
    said = "the book cannot be compared with the venue: nobody answers"
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert (said in warnings) is is_warned_of
