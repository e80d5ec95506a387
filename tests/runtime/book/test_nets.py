"""The unrealised profit of several positions, whatever was computed before."""

from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from strategy_runtime.protocol.enums import PositionSide
from strategy_runtime.protocol.models import Position
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.runtime.book.nets import Nets
from tests.work import growth, steps_of

SYMBOLS = ("S:A", "S:B", "S:C")
ZERO = Decimal(0)

symbols = st.sampled_from(SYMBOLS)
sizes = st.integers(-5, 5).filter(bool).map(Decimal)
prices = st.integers(1, 4).map(float)
moments = st.tuples(st.just("price"), symbols, prices)
netted = st.tuples(st.just("move"), symbols, sizes, prices)
hedged = st.tuples(st.just("apart"), symbols, sizes, prices)


@given(st.lists(moments | netted, max_size=30) | st.lists(moments | hedged, max_size=30))
@example(
    [
        *(("price", "S:A", 1.0), ("price", "S:B", 1.0), ("price", "S:C", 2.0)),
        *(("move", "S:A", Decimal(-4), 3.0), ("move", "S:C", Decimal(-1), 1.0)),
        *(("move", "S:B", Decimal(-1), 1.0), ("move", "S:B", Decimal(-2), 2.0)),
    ]
)
def test_the_open_profit_is_that_of_what_is_held_at_the_last_prices(
    done: list[tuple[object, ...]],
) -> None:
    last: dict[str, float] = {}
    nets = Nets(last)
    for step in done:
        match step:
            case ("price", str(symbol), float(price)):
                last[symbol] = price
            case ("move", str(symbol), Decimal() as size, float(price)):
                nets.move(symbol, size, decimal_of(price))
            case ("apart", str(symbol), Decimal() as size, float(price)):
                nets.open_apart(symbol, size, decimal_of(price))
        for symbol in SYMBOLS:
            net = nets[symbol]
            gain = net._locked
            if net.quantity and symbol in last:
                gain += net.quantity * (decimal_of(last[symbol]) - net.average_entry_price)
            assert round(net.unrealized_pnl, 20) == round(gain, 20)
        together = sum((nets[each].unrealized_pnl for each in SYMBOLS), ZERO)
        assert round(nets.unrealized_pnl, 20) == round(together, 20)


def test_a_sale_leaves_the_entry_price_of_the_rest_and_a_flip_begins_at_its_own() -> None:
    nets = Nets({})
    net = nets["S:A"]
    nets.move("S:A", Decimal(10), Decimal(10))
    assert nets.move("S:A", Decimal(-4), Decimal(12)) == 8
    assert (net.quantity, net.average_entry_price) == (Decimal(6), Decimal(10))
    assert nets.move("S:A", Decimal(-9), Decimal(13)) == 18
    assert (net.quantity, net.average_entry_price) == (Decimal(-3), Decimal(13))


def test_a_net_position_is_the_sum_of_those_of_the_venue() -> None:
    def part(side: PositionSide, quantity: int, entry: int, realized: int) -> Position:
        return Position(
            id=side,
            symbol="S:A",
            side=side,
            quantity=Decimal(quantity),
            average_entry_price=Decimal(entry),
            realized_pnl=Decimal(realized),
        )

    nets = Nets({"S:A": 11.0})
    net = nets["S:A"]
    long = part(PositionSide.LONG, 10, 10, 5)
    small, short = part(PositionSide.SHORT, 4, 12, -2), part(PositionSide.SHORT, 10, 12, -2)
    for parts, held in (
        ([long], [10, 5, 10]),
        ([long, small], [6, 3, 14]),
        ([long, short], [0, 3, 20]),
        ([short], [-10, -2, 10]),
        ([], [0, 0, 0]),
    ):
        nets.renew("S:A", parts)
        assert [net.quantity, net.realized_pnl, net.unrealized_pnl] == held
        assert list(nets.held) == ["S:A"] * bool(parts)


def many_held(count: int) -> tuple[dict[str, float], Nets]:
    """Return `count` positions of two units, each with a profit of 4, and their prices."""
    prices = {f"S:{number}": 12.0 for number in range(count)}
    nets = Nets(prices)
    for symbol in prices:
        nets.move(symbol, Decimal(2), Decimal(10))
    return prices, nets


def test_while_nothing_changes_the_open_profit_is_worked_out_once() -> None:
    def share_out(count: int) -> None:
        prices, nets = many_held(count)
        for _ in prices:
            assert nets.unrealized_pnl == 4 * count
        prices["S:0"] = 13.0
        assert nets.unrealized_pnl == 4 * count + 2
        nets.move("S:0", Decimal(-2), Decimal(13))
        assert nets.unrealized_pnl == 4 * count - 4

    assert growth(share_out, 50) < 2.1


def test_of_many_positions_only_those_whose_price_has_moved_are_worked_out_anew() -> None:
    def work(count: int) -> int:
        prices, nets = many_held(count)
        assert nets.unrealized_pnl == 4 * count

        def move() -> None:
            prices["S:3"] = prices["S:none"] = 13.0
            assert nets.unrealized_pnl == 4 * count + 2

        return steps_of(move)

    work(100)  # one-off work is done
    assert work(100) == work(1000)
