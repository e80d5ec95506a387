"""Round trips, against values computed by hand and the sum of all fills."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.clock import rfc3339
from strategy_runtime.report.trips import RoundTrip, round_trips, time_held
from tests.report.support import START, STEP, fill, interest


def test_entries_and_exits_are_averaged_and_fees_taken_off() -> None:
    (trip,) = round_trips(
        [
            fill("10", "100", fee="1"),
            fill("30", "104", bar=1, fee="3"),
            fill("-20", "110", bar=2, fee="2"),
            fill("-20", "112", bar=5, fee="2", rule="stop_touch"),
        ]
    )
    assert trip == RoundTrip(
        symbol="S:A",
        is_long=True,
        quantity=Decimal(40),
        entry_price=Decimal(103),
        exit_price=Decimal(111),
        opened_ns=START,
        closed_ns=START + 5 * STEP,
        fees=Decimal(8),
        profit=Decimal(40 * 8 - 8),
        exit_rule="stop_touch",
    )
    assert trip.profit_share == 312 / 4120


def test_a_short_position_gains_when_it_is_bought_back_for_less() -> None:
    (trip,) = round_trips([fill("-5", "20"), fill("5", "17", bar=1)])
    assert (trip.is_long, trip.quantity, trip.profit) == (False, Decimal(5), Decimal(15))


def test_a_debugger_shows_the_side_and_times_of_a_trip() -> None:
    (trip,) = round_trips([fill("-5", "20"), fill("5", "17", bar=1)])
    assert f"opened_ns={START} ({rfc3339(START)}), closed_ns={START + STEP} (" in repr(trip)
    assert "is_long=False" in repr(trip)


def test_a_flip_ends_one_position_and_begins_the_next_and_shares_its_fee() -> None:
    fills = [fill("10", "10"), fill("-15", "12", bar=1, fee="3"), fill("5", "11", bar=2)]
    first, second = round_trips(fills)
    assert (first.is_long, first.quantity, first.fees) == (True, Decimal(10), Decimal(2))
    assert (second.is_long, second.quantity, second.fees) == (False, Decimal(5), Decimal(1))
    assert first.profit + second.profit == 20 + 5 - 3


def test_interest_on_cash_is_no_fee_of_a_symbol_that_is_called_like_the_currency() -> None:
    bought, sold = fill("10", "10", symbol="USD"), fill("-10", "12", symbol="USD", bar=2)
    (trip,) = round_trips([bought, interest(bar=1), sold])
    assert (trip.fees, trip.profit) == (Decimal(0), Decimal(20))


def test_what_is_still_open_is_no_round_trip() -> None:
    assert round_trips([fill("10", "10"), fill("-9", "12", bar=1)]) == []


def test_symbols_stand_for_themselves() -> None:
    fills = [fill("1", "10"), fill("-1", "10", symbol="S:B", bar=1), fill("-1", "11", bar=2)]
    assert [trip.symbol for trip in round_trips(fills)] == ["S:A"]


def test_positions_stand_for_themselves_where_they_are_hedged() -> None:
    fills = [
        fill("1", "10", position="pos-1"),
        fill("-1", "12", position="pos-2", bar=1),
        fill("1", "9", position="pos-2", bar=2),
        fill("-1", "13", position="pos-1", bar=3),
    ]
    assert [trip.profit for trip in round_trips(fills, hedging=True)] == [3, 3]
    assert [trip.profit for trip in round_trips(fills)] == [2, 4]


def test_time_is_held_from_the_first_fill_to_the_last_and_counts_once() -> None:
    fills = [
        fill("1", "10"),
        fill("1", "10", symbol="S:B", bar=1),
        fill("-1", "10", bar=2),
        fill("-1", "10", symbol="S:B", bar=3),
        fill("1", "10", bar=5),
    ]
    assert time_held(fills, START + 9 * STEP) == (3 + 4) * STEP
    assert time_held([], START) == 0


def test_positions_that_cancel_each_other_out_are_held_where_they_are_hedged() -> None:
    fills = [
        fill("1", "10", position="pos-1"),
        fill("-1", "10", position="pos-2", bar=1),
        fill("1", "10", position="pos-2", bar=4),
        fill("-1", "10", position="pos-1", bar=5),
    ]
    assert time_held(fills, START + 9 * STEP, hedging=True) == 5 * STEP
    assert time_held(fills, START + 9 * STEP) == 2 * STEP


@given(
    st.lists(
        st.tuples(st.integers(-5, 5).filter(bool), st.integers(1, 20), st.integers(0, 3)),
        min_size=1,
        max_size=20,
    )
)
def test_the_profits_of_all_trips_are_the_account_s_once_it_is_flat(
    deals: list[tuple[int, int, int]],
) -> None:
    left = sum(size for size, _, _ in deals)
    if left:
        deals = [*deals, (-left, 7, 1)]
    fills = [
        fill(str(size), str(price), bar=bar, fee=str(fee))
        for bar, (size, price, fee) in enumerate(deals)
    ]
    trips = round_trips(fills)
    cash = -sum(size * price + fee for size, price, fee in deals)
    assert abs(sum((trip.profit for trip in trips), Decimal(0)) - cash) < Decimal("1e-20")
    paid = sum((trip.fees for trip in trips), Decimal(0))
    assert abs(paid - sum(fee for _, _, fee in deals)) < Decimal("1e-20")


def test_a_short_that_was_entered_at_nothing_has_no_share() -> None:
    (trip,) = round_trips([fill("-10", "0"), fill("10", "3", bar=1)])
    assert (trip.entry_price, trip.profit, trip.profit_share) == (Decimal(0), Decimal(-30), 0.0)
