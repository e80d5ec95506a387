"""Names on the wire: any case, the engine's aliases, closed and open sets."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import pytest

from strategy_runtime.protocol import enums
from strategy_runtime.protocol.enums import (
    AccountEventKind,
    OrderEventKind,
    OrderStatus,
    OrderType,
    PositionSide,
    RejectReason,
    Side,
)

SETS = [
    kind
    for name in enums.__all__
    if isinstance(kind := getattr(enums, name), type) and issubclass(kind, StrEnum)
]
OPEN = {
    "AccountEventKind",
    "ConnectionEventKind",
    "OrderEventKind",
    "OrderStatus",
    "PositionEventKind",
    "RateLimitEventKind",
    "RejectReason",
    "StalenessEventKind",
}


def test_where_a_wrong_guess_would_cost_money_a_set_is_closed() -> None:
    assert {kind.__name__ for kind in SETS if kind._missing_("a new one")} == OPEN
    assert {"Side", "PositionSide", "OrderType"} <= {kind.__name__ for kind in SETS} - OPEN


@pytest.mark.parametrize("kind", SETS, ids=lambda kind: kind.__name__)
def test_every_name_is_read_in_any_case_and_with_hyphens(kind: type[StrEnum]) -> None:
    for member in kind:
        assert kind(member.value.lower()) is member
        assert kind(member.value.title().replace("_", "-")) is member


@pytest.mark.parametrize(
    ("kind", "text", "member"),
    [
        (OrderEventKind, "created", OrderEventKind.ORDER_CREATED),
        (OrderEventKind, "partial_fill", OrderEventKind.ORDER_PARTIALLY_FILLED),
        (OrderEventKind, "filled", OrderEventKind.ORDER_FILLED),
        (OrderEventKind, "cancelled", OrderEventKind.ORDER_CANCELLED),
        (OrderEventKind, "canceled", OrderEventKind.ORDER_CANCELLED),
        (OrderEventKind, "ORDER_CANCELED", OrderEventKind.ORDER_CANCELLED),
        (OrderEventKind, "rejected", OrderEventKind.ORDER_REJECTED),
        (OrderStatus, "canceled", OrderStatus.CANCELLED),
        (AccountEventKind, "margin_call", AccountEventKind.MARGIN_CALL),
        (RejectReason, "insufficient_margin", RejectReason.INSUFFICIENT_MARGIN),
        (PositionSide, "short", PositionSide.SHORT),
        (OrderType, "stop_limit", OrderType.STOP_LIMIT),
    ],
)
def test_the_engines_names(kind: type[StrEnum], text: str, member: StrEnum) -> None:
    assert kind(text) is member


def test_an_alias_holds_for_its_own_set_only() -> None:
    assert not OrderStatus("created").is_known
    with pytest.raises(ValueError, match="CANCELED"):
        Side("CANCELED")


def test_an_open_set_keeps_what_it_does_not_know() -> None:
    status = OrderStatus("Sort_of_filled")
    assert status == "Sort_of_filled"
    assert status.value == "Sort_of_filled"
    assert isinstance(status, OrderStatus)
    assert not status.is_known
    assert not status.is_terminal
    assert OrderStatus.FILLED.is_known
    assert "Sort_of_filled" not in list(OrderStatus)


@pytest.mark.parametrize("text", ["", " BUY", "BUY ", "B", "buy_", None, 1])
def test_a_closed_set_refuses_what_it_does_not_know(text: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid Side"):
        Side(text)


@pytest.mark.parametrize("value", ["", None, 7])
def test_no_set_takes_nothing(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid OrderStatus"):
        OrderStatus(value)


def test_what_is_bought_counts_up_and_what_is_sold_down() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)


def test_which_states_are_the_last() -> None:
    assert {status.name for status in OrderStatus if status.is_terminal} == {
        "FILLED",
        "CANCELLED",
        "REJECTED",
        "EXPIRED",
    }


@pytest.mark.parametrize("kind", SETS, ids=lambda kind: kind.__name__)
def test_every_name_equals_its_text_and_no_other(kind: type[StrEnum]) -> None:
    for member in kind:
        text, numbers = str(member), dict[str, int]()
        numbers[member] = 1
        assert member == text
        assert (member != text) is False
        assert numbers[text] == 1
        assert [other for other in kind if other == member] == [member]
        assert member != "something else"
        assert member != None  # noqa: E711
        assert member != object()


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        (
            lambda: Side.BUY == "buy",
            "^Side is not compared with 'buy', which it never is: write ",
        ),
        (lambda: Side.SELL == "buy", r"write Side\.BUY$"),
        (lambda: Side.SELL != "buy", r"write Side\.BUY$"),
        (lambda: "buy" in [Side.SELL], r"write Side\.BUY$"),
        (lambda: Side.SELL in ("Buy",), r"with 'Buy', .* write Side\.BUY$"),
        (lambda: OrderStatus.OPEN == "canceled", r"write OrderStatus\.CANCELLED$"),
        (lambda: OrderEventKind.ORDER_CREATED == "FILLED", r"write OrderEventKind\.ORDER_FILLED$"),
        (lambda: OrderType.STOP == "stop-limit", r"write OrderType\.STOP_LIMIT$"),
    ],
)
def test_another_spelling_is_not_taken_for_another_name(
    compare: Callable[[], bool], said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        compare()
