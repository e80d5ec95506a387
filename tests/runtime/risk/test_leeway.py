"""How far prices may move before equity has to be checked."""

from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime.runtime.risk.leeway import Leeway

SYMBOLS = ("S:A", "S:B", "S:C")
LEFT = 100.0

prices = st.integers(1, 60).map(float)
sizes = st.integers(-4, 4).map(float)
steps = st.lists(
    st.tuples(st.sampled_from(SYMBOLS), prices, st.one_of(st.none(), sizes), st.integers(0, 2)),
    max_size=60,
)


@given(st.lists(st.tuples(prices, sizes.filter(bool)), max_size=len(SYMBOLS)), steps)
def test_nothing_passes_that_could_have_lost_all_that_was_left(
    begins: list[tuple[float, float]], happened: list[tuple[str, float, float | None, int]]
) -> None:
    leeway = Leeway()
    held = {symbol: (price, size) for symbol, (price, size) in zip(SYMBOLS, begins, strict=False)}
    leeway.share_out(LEFT, [(symbol, size, price) for symbol, (price, size) in held.items()])
    lost = 0.0
    for symbol, price, size, fee in happened:
        mark, before = held.get(symbol, (price, 0.0))
        lost += (mark - price) * before
        held[symbol] = price, before
        if size is None:
            is_calm = leeway.lets_pass(symbol, price)
        else:
            held[symbol], lost = (price, size), lost + fee
            is_calm = leeway.take_in(symbol, size, price, float(fee))
        if not is_calm:
            return
        assert lost < LEFT


def test_one_position_may_lose_nearly_all() -> None:
    leeway = Leeway()
    leeway.share_out(LEFT, [("S:A", 1.0, 200.0)])
    fallen = next(step for step in range(200) if not leeway.lets_pass("S:A", 200.0 - step))
    assert fallen == LEFT


def test_a_short_position_loses_as_prices_rise() -> None:
    leeway = Leeway()
    leeway.share_out(LEFT, [("S:A", -2.0, 200.0)])
    assert leeway.lets_pass("S:A", 1.0)
    assert leeway.lets_pass("S:A", 249.0)
    assert not leeway.lets_pass("S:A", 250.0)


def test_what_a_position_gained_is_there_for_others() -> None:
    leeway = Leeway()
    leeway.share_out(LEFT, [("S:A", 1.0, 200.0)])
    leeway.take_in("S:A", 0.0, 300.0, 0.0)
    leeway.take_in("S:B", 1.0, 500.0, 0.0)
    assert leeway.lets_pass("S:B", 301.0)
    assert not leeway.lets_pass("S:B", 300.0)


def test_a_position_without_a_price_is_looked_at_with_its_first() -> None:
    leeway = Leeway()
    leeway.share_out(LEFT, [("S:A", 1.0, None)])
    assert leeway.lets_pass("S:B", 5.0)
    assert not leeway.lets_pass("S:A", 5.0)


def test_in_doubt_nothing_passes_until_something_is_shared_out() -> None:
    leeway = Leeway()
    assert not leeway.lets_pass("S:A", 5.0)
    leeway.share_out(LEFT, [])
    assert leeway.lets_pass("S:A", 5.0)
    leeway.invalidate()
    assert not leeway.lets_pass("S:A", 5.0)
    assert not leeway.take_in("S:A", 1.0, 5.0, 0.0)
    leeway.lift()
    assert leeway.lets_pass("S:A", 5.0)


def test_many_positions_can_be_entered_before_equity_has_to_be_looked_at() -> None:
    leeway = Leeway()
    leeway.share_out(LEFT, [])
    for number in range(1000):
        symbol = f"S:{number}"
        assert leeway.take_in(symbol, 1.0, 10.0, 0.0)
        assert leeway.lets_pass(symbol, 10.0)
