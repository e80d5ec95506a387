"""The check of orders against the limits, without a run."""

from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from msgspec.structs import replace

from strategy_runtime import OrderStatus, OrderType, Side
from strategy_runtime.errors import ApiError
from strategy_runtime.protocol.enums import OrderEventKind
from strategy_runtime.protocol.events import OrderEvent
from strategy_runtime.protocol.models import Order, OrderRequest
from strategy_runtime.runtime.book import Book
from strategy_runtime.runtime.risk.decision import Risk
from strategy_runtime.runtime.risk.limits import Limits
from tests.work import growth

X = "S:X"


class Bench:
    """A book with a price, and the checks on it."""

    def __init__(self, *, last: float | None = 10, held: int = 0, **limits: Any) -> None:
        self.book = Book()
        self.now = 0.0
        if last is not None:
            self.book.last[X] = last
        if held:
            self.fill(held)
        self.risk = Risk(Limits(**limits), self.book, lambda: self.now)

    def fill(self, signed: int) -> None:
        side = Side.BUY if signed > 0 else Side.SELL
        order = made(abs(signed), side, id="filled", status=OrderStatus.FILLED)
        self.book.apply_order(OrderEvent(event=OrderEventKind.ORDER_FILLED, order=order))

    def told(self, order: Order) -> None:
        kind = OrderEventKind.ORDER_MODIFIED if order.is_open else OrderEventKind.ORDER_CANCELLED
        self.book.apply_order(OrderEvent(event=kind, order=order))

    def rest(self, quantity: int, side: Side = Side.BUY, **more: Any) -> Order:
        order = made(quantity, side, id=f"o-{self.book.order_count}", **more)
        self.told(order)
        return order

    def refusal(self, quantity: int, side: Side = Side.BUY, **more: Any) -> ApiError | None:
        return self.risk.refusal_of(self.rest(quantity, side, **more))

    def said(self, quantity: int, side: Side = Side.BUY, **more: Any) -> str:
        refusal = self.refusal(quantity, side, **more)
        assert refusal is not None
        assert refusal.code == "RISK_LIMIT"
        return refusal.message

    def allows(self, quantity: int, side: Side = Side.BUY, **more: Any) -> bool:
        order = self.rest(quantity, side, **more)
        refusal = self.risk.refusal_of(order)
        self.told(replace(order, status=OrderStatus.CANCELLED))
        return refusal is None


def made(
    quantity: int, side: Side, *, id: str, status: OrderStatus = OrderStatus.OPEN, **more: Any
) -> Order:
    limit, stop = more.get("limit_price"), more.get("stop_price")
    kind = OrderType.LIMIT if limit else OrderType.STOP if stop else OrderType.MARKET
    for name in more.keys() & {"limit_price", "stop_price"}:
        more[name] = Decimal(more[name])
    return Order(
        id=id,
        symbol=X,
        side=side,
        status=status,
        order_type=kind,
        quantity=Decimal(quantity),
        **more,
    )


def test_without_a_limit_everything_passes() -> None:
    assert not Limits()
    assert Limits(max_daily_loss=Decimal(1))
    assert Bench(last=None).allows(10**9)


# Notional


def test_an_order_may_be_worth_just_what_is_allowed() -> None:
    bench = Bench(max_order_notional=Decimal(100))
    assert bench.allows(10)
    assert bench.allows(10, Side.SELL)
    assert bench.said(11) == "11 S:X at 10 is worth 110, and --max-order-notional allows 100"


def test_a_refusal_has_its_numbers_for_programs() -> None:
    refusal = Bench(max_order_notional=Decimal("99.50")).refusal(10)
    assert refusal is not None
    assert refusal.details == {"limit": "max_order_notional", "allowed": "99.5", "asked": "100"}


@pytest.mark.parametrize(
    ("side", "prices", "price"),
    [
        (Side.BUY, {}, 10),
        (Side.BUY, {"limit_price": 8}, 8),
        (Side.BUY, {"limit_price": 12}, 12),
        (Side.SELL, {"limit_price": 8}, 10),
        (Side.SELL, {"limit_price": 12}, 12),
        (Side.BUY, {"stop_price": 12}, 12),
        (Side.SELL, {"stop_price": 8}, 10),
        (Side.BUY, {"stop_price": 11, "limit_price": 12}, 12),
    ],
)
def test_an_order_is_worth_what_it_may_cost(side: Side, prices: dict[str, int], price: int) -> None:
    bench = Bench(max_order_notional=Decimal(1))
    assert bench.said(3, side, **prices).startswith(f"3 S:X at {price} is worth {3 * price}, ")


def test_before_its_first_price_only_an_order_with_one_passes() -> None:
    bench = Bench(last=None, max_order_notional=Decimal(100))
    assert bench.said(1) == (
        "an order in S:X cannot be valued for --max-order-notional before its first price; wait "
        "for one, or give limit="
    )
    assert bench.allows(1, limit_price=10)
    assert "--max-position-notional" in Bench(last=None, max_position_notional=Decimal(1)).said(1)


# Position


def test_what_is_held_and_what_rests_counts_for_a_position() -> None:
    bench = Bench(held=5, max_position_notional=Decimal(100))
    bench.rest(2, limit_price=5)
    assert bench.allows(4)
    assert bench.said(5) == (
        "with what is held and rests, S:X would be worth 110, and --max-position-notional allows "
        "100"
    )


def test_the_other_side_counts_from_the_other_end() -> None:
    bench = Bench(held=5, max_position_notional=Decimal(100))
    assert bench.allows(15, Side.SELL)
    assert "worth 110" in bench.said(16, Side.SELL)


@pytest.mark.parametrize("more", [{"reduce_only": True}, {"parent_order_id": "p"}])
def test_orders_that_only_close_do_not_count(more: dict[str, Any]) -> None:
    bench = Bench(held=5, max_position_notional=Decimal(50))
    for _ in range(2):
        bench.rest(5, Side.SELL, **more)
    assert bench.allows(5, Side.SELL)
    assert "worth 60" in bench.said(6, Side.SELL)


def test_orders_that_have_ended_do_not_count() -> None:
    bench = Bench(max_position_notional=Decimal(100))
    order = bench.rest(10)
    assert not bench.allows(1)
    bench.told(replace(order, status=OrderStatus.CANCELLED))
    assert bench.allows(10)


def test_a_position_of_which_no_price_was_seen_counts_at_its_entry_price() -> None:
    bench = Bench(held=5, max_position_notional=Decimal(100))
    bench.book.last.clear()
    assert bench.allows(5, limit_price=10)
    assert not bench.allows(6, limit_price=10)


PRICES = [None, -3.5, 0.25, 10.0, 10.5, 1e300]
CASES = [
    (last, held, resting, kind)
    for last in PRICES
    for held in (-35, -6, 0, 6)
    for resting in (-2, 0, 2)
    for kind in ({}, {"limit_price": Decimal(12)}, {"reduce_only": True})
]


@pytest.mark.parametrize(("last", "held", "resting", "kind"), CASES)
def test_what_is_clearly_small_is_what_passes_when_it_is_looked_at_closely(
    last: float | None, held: int, resting: int, kind: dict[str, Any]
) -> None:
    limits = [{"max_order_notional": Decimal(60)}, {"max_position_notional": Decimal(100)}]
    for allowed, side, size in product((*limits, limits[0] | limits[1]), Side, (*range(1, 20), 40)):
        bench = Bench(last=last, held=held, **allowed)
        if resting:
            bench.rest(abs(resting), Side.BUY if resting > 0 else Side.SELL, limit_price=9)
        request = OrderRequest(
            symbol=X,
            side=side,
            quantity=Decimal(size),
            order_type=OrderType.LIMIT if "limit_price" in kind else OrderType.MARKET,
            client_order_id="own",
            **kind,
        )
        bench.book.expect(request, "own")
        decided = bench.risk.refusal_of(request)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Risk, "_is_plainly_small", lambda self, order: False)
            said = bench.risk.refusal_of(request)
        assert str(decided) == str(said)


# What reduces


@pytest.mark.parametrize(
    ("held", "quantity", "side", "passes"),
    [
        (50, 50, Side.SELL, True),
        (50, 51, Side.SELL, False),
        (50, 2, Side.BUY, False),
        (-50, 50, Side.BUY, True),
        (-50, 51, Side.BUY, False),
        (0, 2, Side.SELL, False),
    ],
)
def test_an_order_that_only_reduces_is_never_too_large(
    held: int, quantity: int, side: Side, passes: bool
) -> None:
    bench = Bench(held=held, max_order_notional=Decimal(10), max_position_notional=Decimal(10))
    assert bench.allows(quantity, side) is passes
    assert bench.allows(quantity, side, reduce_only=True)


def test_an_order_that_rests_may_outlive_the_position_it_would_reduce() -> None:
    bench = Bench(held=50, max_order_notional=Decimal(10))
    assert not bench.allows(50, Side.SELL, limit_price=11)
    assert bench.allows(50, Side.SELL, limit_price=11, reduce_only=True)


def test_a_position_makes_room_on_the_other_side_for_orders_that_are_filled_now() -> None:
    bench = Bench(held=5, max_position_notional=Decimal(100))
    assert bench.allows(15, Side.SELL)
    assert "worth 150" in bench.said(15, Side.SELL, stop_price=9)
    bench = Bench(held=5, max_position_notional=Decimal(100))
    bench.rest(2, Side.SELL, limit_price=12, reduce_only=True)
    assert bench.allows(13, Side.SELL)
    assert "worth 110" in bench.said(14, Side.SELL)


def test_two_orders_that_reduce_by_themselves_can_turn_a_position_together() -> None:
    bench = Bench(held=50, max_order_notional=Decimal(10))
    bench.rest(30, Side.SELL)
    assert bench.allows(20, Side.SELL)
    assert not bench.allows(21, Side.SELL)


# Changes


def changed(bench: Bench, order: Order, **changes: Any) -> ApiError | None:
    return bench.risk.refusal_of_change(order, replace(order, **changes))


def test_a_change_is_judged_like_an_order_and_counts_itself_once() -> None:
    bench = Bench(max_position_notional=Decimal(100))
    order = bench.rest(8, limit_price=10)
    eleven, ten = Decimal(11), Decimal(10)
    assert changed(bench, order, quantity=ten, remaining_quantity=ten) is None
    refusal = changed(bench, order, quantity=eleven, remaining_quantity=eleven)
    assert refusal is not None
    assert "S:X would be worth 110, " in refusal.message
    dearer = changed(bench, order, limit_price=Decimal(13))
    assert dearer is not None
    assert "S:X would be worth 130, " in dearer.message


def test_a_change_counts_until_it_is_known_not_to_be_made() -> None:
    bench = Bench(max_position_notional=Decimal(100))
    order = bench.rest(2, limit_price=10)
    eight = Decimal(8)
    assert changed(bench, order, quantity=eight, remaining_quantity=eight) is None
    assert not bench.allows(3)
    bench.risk.forget(order.id)
    assert bench.allows(8)


def test_an_order_is_expected_to_become_what_the_last_of_its_changes_makes_it() -> None:
    bench = Bench(max_position_notional=Decimal(100))
    order = bench.rest(2, limit_price=10)
    for quantity in (Decimal(8), Decimal(5)):
        assert changed(bench, order, quantity=quantity, remaining_quantity=quantity) is None
        assert bench.risk.expected(order).quantity == quantity
    assert not bench.allows(3), "it may still be 8 for a while"


def test_a_change_that_was_made_counts_as_the_book_has_it() -> None:
    bench = Bench(max_position_notional=Decimal(100))
    order = bench.rest(2, limit_price=10)
    eight = Decimal(8)
    assert changed(bench, order, quantity=eight, remaining_quantity=eight) is None
    bench.told(replace(order, quantity=eight, remaining_quantity=eight))
    assert bench.allows(2)
    bench.told(replace(order, quantity=eight, remaining_quantity=Decimal(1)))
    assert bench.allows(9)


def test_of_an_order_that_is_being_changed_what_has_filled_counts_as_held() -> None:
    bench = Bench(max_position_notional=Decimal(100))
    order = bench.rest(8, limit_price=10, filled_quantity=Decimal(6), remaining_quantity=Decimal(2))
    nine, three = Decimal(9), Decimal(3)
    assert changed(bench, order, quantity=nine, remaining_quantity=three) is None
    assert bench.allows(1)
    assert not bench.allows(2)


def test_changes_of_orders_that_have_ended_are_let_go_and_others_still_count() -> None:
    bench = Bench(max_position_notional=Decimal(100))
    order, eight = bench.rest(2, limit_price=10), Decimal(8)
    assert changed(bench, order, quantity=eight, remaining_quantity=eight) is None
    for _ in range(1000):
        other, two = bench.rest(1, limit_price=10), Decimal(2)
        assert changed(bench, other, quantity=two, remaining_quantity=two) is None
        bench.told(replace(other, status=OrderStatus.CANCELLED))
    assert len(bench.risk._changes) < 100
    assert not bench.allows(3)
    assert bench.allows(2)


def test_making_an_order_smaller_or_giving_it_legs_is_always_possible() -> None:
    bench = Bench(max_order_notional=Decimal(10))
    order = bench.rest(8, limit_price=10)
    assert changed(bench, order, quantity=Decimal(7), remaining_quantity=Decimal(7)) is None
    assert changed(bench, order, stop_loss=Decimal(5)) is None


def test_an_order_is_judged_without_a_look_at_those_that_cannot_matter() -> None:
    def give(count: int) -> None:
        bench = Bench(max_order_notional=Decimal(100))
        orders = [bench.rest(1, limit_price=5) for _ in range(count)]
        assert not any(map(bench.risk.refusal_of, orders))
        for order in orders:
            assert changed(bench, order, limit_price=Decimal(6)) is None

    assert growth(give, 200) < 2.1


# Rate


def test_so_many_orders_a_minute_and_no_more() -> None:
    bench = Bench(max_orders_per_minute=2)
    assert bench.allows(1)
    bench.now = 30.0
    assert bench.allows(1)
    bench.now = 59.0
    assert bench.said(1) == (
        "orders and changes within a minute would be 3, and --max-orders-per-minute allows 2"
    )
    bench.now = 60.0
    assert bench.allows(1)
    assert not bench.allows(1)
    bench.now = 90.0
    assert bench.allows(1)


def test_the_rate_counts_changes_and_what_reduces_but_not_what_was_refused() -> None:
    bench = Bench(held=5, max_orders_per_minute=3, max_order_notional=Decimal(100))
    for _ in range(5):
        assert not bench.allows(11)
    order = bench.rest(1, limit_price=10)
    assert changed(bench, order, stop_loss=Decimal(5)) is None
    assert bench.allows(5, Side.SELL, reduce_only=True)
    assert bench.allows(1)
    assert changed(bench, order, stop_loss=Decimal(6)) is not None
    assert not bench.allows(5, Side.SELL, reduce_only=True)
