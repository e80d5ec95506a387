"""Orders effectively once: the rules one by one, and ten thousand orders with random faults."""

from collections import Counter
from decimal import Decimal

import pytest

from strategy_runtime.errors import (
    AccessDenied,
    ApiError,
    ConnectionLost,
    FateUnknown,
    ProtocolError,
    StrategyRuntimeError,
    Unreachable,
)
from strategy_runtime.ids import Random, generator
from strategy_runtime.protocol.enums import OrderStatus, OrderType, Side
from strategy_runtime.protocol.models import Order, OrderHandle, OrderRequest
from strategy_runtime.proxy.submission import OrderAct, OrderStep, Patience, Submission
from tests.figures import Tell

ACCEPTED = OrderHandle(id="ord-1", status=OrderStatus.OPEN)


def request_of(own_id: str = "c-1") -> OrderRequest:
    return OrderRequest(
        symbol="S:X",
        side=Side.BUY,
        quantity=Decimal(1),
        order_type=OrderType.MARKET,
        client_order_id=own_id,
    )


def submission(*, dedupes: bool = False, own_id: str = "c-1") -> Submission:
    return Submission(request_of(own_id), dedupes=dedupes, now=0.0, patience=Patience())


def test_what_was_accepted_is_done() -> None:
    order = submission()
    assert order.next(0.0) == OrderStep(OrderAct.SEND)
    order.accepted(ACCEPTED)
    assert order.next(0.0) == OrderStep(OrderAct.DONE)
    assert order.handle is ACCEPTED


@pytest.mark.parametrize("error", [ApiError(422, "ORDER_REJECTED", "no"), AccessDenied("no")])
def test_what_was_refused_is_final(error: StrategyRuntimeError) -> None:
    order = submission()
    order.next(0.0)
    order.failed(error, 0.0, None)
    order.accepted(ACCEPTED)
    assert (order.error, order.handle) == (error, None)


def test_what_was_not_sent_is_sent_again_until_the_deadline() -> None:
    order, now = submission(), 0.0
    trouble = Unreachable("nobody there")
    pauses = []
    while not order.is_done:
        assert order.next(now) == OrderStep(OrderAct.SEND)
        order.failed(trouble, now, None)
        step = order.next(now)
        if step.act is OrderAct.WAIT:
            pauses.append(step.seconds)
            now += step.seconds
    assert pauses == [0.25, 0.5, 1.0, 2.0]
    assert (order.error, order.sends) == (trouble, 5)


def test_a_proxy_that_asks_to_wait_is_waited_for_within_the_deadline() -> None:
    order = submission()
    order.next(0.0)
    order.failed(ApiError(429, "RATE_LIMITED", "slow"), 0.0, 3.0)
    assert order.next(0.0) == OrderStep(OrderAct.WAIT, 3.0)
    assert order.next(3.0) == OrderStep(OrderAct.SEND)
    last = ApiError(429, "RATE_LIMITED", "slower")
    order.failed(last, 3.0, 3.0)
    assert order.error is last


@pytest.mark.parametrize("doubts", [False, True])
def test_a_proxy_that_asks_for_no_wait_is_not_asked_without_a_pause(doubts: bool) -> None:
    order, now = submission(dedupes=True), 0.0
    pauses: list[float] = []
    order.next(now)
    if doubts:
        order.failed(ConnectionLost("reset"), now, None)
        now += 0.25
    while len(pauses) < 4 and not order.is_done:
        order.failed(ApiError(429, "RATE_LIMITED", "slow"), now, 0.001)
        step = order.next(now)
        assert step.act is OrderAct.WAIT
        pauses.append(step.seconds)
        now += step.seconds
        assert order.next(now) == OrderStep(OrderAct.SEND)
    assert pauses == ([0.5, 1.0, 2.0, 4.0] if doubts else [0.25, 0.5, 1.0, 2.0])


@pytest.mark.parametrize("doubt", [ConnectionLost("reset"), ProtocolError("not JSON")])
def test_what_may_have_arrived_is_never_sent_again(doubt: StrategyRuntimeError) -> None:
    order = submission()
    order.next(0.0)
    order.failed(doubt, 1.0, None)
    now, asked = 1.0, 0
    while not order.is_done:
        step = order.next(now)
        assert step.act is not OrderAct.SEND
        if step.act is OrderAct.WAIT:
            now += step.seconds
        elif step.act is OrderAct.LOOK_UP:
            asked += 1
            order.not_found(now)
    assert order.sends == 1
    assert asked >= 4
    assert now >= 11.0
    assert isinstance(order.error, FateUnknown)
    assert str(order.error) == (f"S:X c-1: sent, and nobody can say whether it arrived: {doubt}")


def test_an_error_while_asking_is_no_answer() -> None:
    order, now = submission(), 0.0
    order.next(now)
    order.failed(ConnectionLost("reset"), now, None)
    while now < 59.0:
        step = order.next(now)
        if step.act is OrderAct.WAIT:
            now += step.seconds
        else:
            order.lookup_failed(now)
        assert not order.is_done or now >= 59.0
    order.not_found(now)
    assert not order.is_done or now >= 60.0


def test_a_proxy_that_never_answers_is_asked_for_a_minute() -> None:
    order, now = submission(), 0.0
    order.next(now)
    order.failed(ConnectionLost("reset"), now, None)
    while not order.is_done:
        now += order.next(now).seconds
        order.lookup_failed(now)
    assert 60 <= now < 65
    assert isinstance(order.error, FateUnknown)


def test_two_healthy_answers_are_needed() -> None:
    order = submission()
    order.next(0.0)
    order.failed(ConnectionLost("reset"), 0.0, None)
    order.not_found(20.0)
    assert not order.is_done
    order.not_found(25.0)
    assert isinstance(order.error, FateUnknown)


def test_an_event_settles_the_matter_at_any_time() -> None:
    order = submission()
    order.next(0.0)
    order.failed(ConnectionLost("reset"), 0.0, None)
    order.order_seen(Order(id="ord-7", symbol="S:X", side=Side.BUY, status=OrderStatus.FILLED))
    assert order.handle is not None
    assert (order.handle.id, order.handle.status) == ("ord-7", OrderStatus.FILLED)
    order.failed(ApiError(422, "ORDER_REJECTED", "no"), 1.0, None)
    for late in (20.0, 25.0):
        order.not_found(late)
    order.lookup_failed(70.0)
    assert order.error is None


def test_a_proxy_that_knows_ids_again_is_sent_the_order_again() -> None:
    order = submission(dedupes=True)
    order.next(0.0)
    order.failed(ConnectionLost("reset"), 0.0, None)
    assert order.next(0.25) == OrderStep(OrderAct.SEND)
    order.failed(Unreachable("nobody"), 0.25, None)
    assert order.next(0.75) == OrderStep(OrderAct.SEND)
    order.accepted(ACCEPTED)
    assert order.handle is ACCEPTED


@pytest.mark.parametrize(
    "refusal",
    [
        ApiError(503, "SHUTTING_DOWN", "the proxy is shutting down"),
        ApiError(401, "UNAUTHORIZED", "no such key"),
        ApiError(404, "HTTP_404", "no such path"),
        AccessDenied("no"),
    ],
)
def test_whoever_turns_away_all_orders_says_nothing_of_one_that_may_have_arrived(
    refusal: StrategyRuntimeError,
) -> None:
    order = submission(dedupes=True)
    order.next(0.0)
    order.failed(ConnectionLost("reset"), 0.0, None)
    assert order.next(0.25) == OrderStep(OrderAct.SEND)
    order.failed(refusal, 0.25, None)
    now = 0.25 + order.next(0.25).seconds
    assert order.next(now) == OrderStep(OrderAct.SEND)
    order.accepted(ACCEPTED)
    assert (order.error, order.handle) == (None, ACCEPTED)


@pytest.mark.parametrize(
    "error", [ApiError(401, "UNAUTHORIZED", "no such key"), Unreachable("nobody there")]
)
def test_where_all_orders_are_turned_away_for_good_the_fate_of_such_a_one_is_unknown(
    error: StrategyRuntimeError,
) -> None:
    order, now = submission(dedupes=True), 0.0
    order.next(now)
    order.failed(ConnectionLost("reset"), now, None)
    while not order.is_done:
        now += order.next(now).seconds
        assert order.next(now).act is OrderAct.SEND
        order.failed(error, now, None)
    assert (order.sends, now) == (8, 15.75)
    assert isinstance(order.error, FateUnknown)
    assert str(order.error) == "S:X c-1: sent, and nobody can say whether it arrived: reset"


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
def test_a_proxy_that_knows_ids_and_refuses_the_order_itself_has_not_got_it(status: int) -> None:
    order, refusal = submission(dedupes=True), ApiError(status, "ORDER_REJECTED", "no")
    order.next(0.0)
    order.failed(ConnectionLost("reset"), 0.0, None)
    order.next(0.25)
    order.failed(refusal, 0.25, None)
    assert order.error is refusal


# Weather.


class BadProxy:
    """Books orders, and loses, delays or garbles three responses in ten.

    Attributes:
        bookings: How often each id was booked.
        refused: Ids that were finally refused.
    """

    def __init__(self, rng: Random, *, dedupes: bool) -> None:
        self.rng = rng
        self.dedupes = dedupes
        self.bookings: Counter[str] = Counter()
        self.refused: set[str] = set()
        self.visible_from: dict[str, float] = {}

    def post(self, order: Submission, now: float) -> None:
        own_id = order.request.client_order_id or ""
        fault = self.rng.random()
        if fault < 0.06:
            order.failed(Unreachable("refused"), now, None)
        elif fault < 0.12:
            order.failed(ConnectionLost("timed out"), now, None)  # before it was booked
        elif fault < 0.15:
            order.failed(ApiError(429, "RATE_LIMITED", "slow"), now, self.rng.uniform(0, 2))
        elif fault < 0.30:
            if self.book(own_id, now):
                error = self.rng.choice([ConnectionLost("reset"), ProtocolError("half a body")])
                order.failed(error, now, None)
            else:
                order.failed(ConnectionLost("the refusal was lost"), now, None)
        elif self.book(own_id, now):
            order.accepted(OrderHandle(id=f"ord-{own_id}", status=OrderStatus.OPEN))
        else:
            order.failed(ApiError(422, "ORDER_REJECTED", "no"), now, None)

    def book(self, own_id: str, now: float) -> bool:
        if self.dedupes and self.bookings[own_id]:
            return True
        if int(own_id) % 50 == 0:
            self.refused.add(own_id)
            return False
        self.bookings[own_id] += 1
        # The list of orders may lag behind.
        self.visible_from.setdefault(own_id, now + self.rng.uniform(0, 3))
        return True

    def look_up(self, order: Submission, now: float) -> None:
        own_id = order.request.client_order_id or ""
        if self.rng.random() < 0.3:
            order.lookup_failed(now)
        elif self.visible_from.get(own_id, now + 1) <= now:
            order.order_seen(Order(id="o", symbol="S:X", side=Side.BUY, status=OrderStatus.OPEN))
        else:
            order.not_found(now)


@pytest.mark.parametrize("dedupes", [True, False])
def test_ten_thousand_orders_through_bad_weather(dedupes: bool, tell: Tell) -> None:
    """No order is booked twice, none that was booked is reported as refused, and the fate of one
    is declared unknown only if the proxy does not have it."""
    rng = generator(30)
    proxy = BadProxy(rng, dedupes=dedupes)
    outcomes: Counter[str] = Counter()
    sent = 0
    for number in range(10_000):
        order, now = submission(dedupes=dedupes, own_id=str(number)), 0.0
        while (step := order.next(now)).act is not OrderAct.DONE:
            now += 0.05
            if step.act is OrderAct.WAIT:
                now += step.seconds
            elif step.act is OrderAct.SEND:
                proxy.post(order, now)
            else:
                proxy.look_up(order, now)
        sent += order.sends
        booked = proxy.bookings[str(number)]
        if order.handle is not None:
            outcomes["booked"] += 1
            assert booked == 1
        elif isinstance(order.error, FateUnknown):
            outcomes["unknown"] += 1
            assert booked == 0
        else:
            outcomes["refused"] += 1
            assert booked == 0
    assert sum(proxy.bookings.values()) == outcomes["booked"]
    assert outcomes.total() == 10_000
    if dedupes:
        assert outcomes["unknown"] == 0
    tell(
        f"10,000 orders, 30 % of {sent:,} POSTs faulty, proxy "
        f"{'knows' if dedupes else 'does not know'} ids again: {dict(outcomes)}, 0 booked twice"
    )
