"""Factories of fills and bars."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from strategy_runtime.protocol.enums import Side
from strategy_runtime.report.equity import CurvePart
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.outcome import Adjustment, Fill

STEP = 60_000_000_000
START = 1_700_000_040_000_000_000  # a whole minute


def fill(
    quantity: str,
    price: str,
    *,
    bar: int = 0,
    intrabar: bool = False,
    symbol: str = "S:A",
    fee: str = "0",
    number: int = 1,
    position: str = "pos-1",
    rule: str = "market_open",
) -> Fill:
    """Make a fill at the open of a bar or within it; a sale has a negative quantity."""
    signed = Decimal(quantity)
    began = START + bar * STEP
    return Fill(
        time_ns=began + STEP if intrabar else began,
        bar_ns=began,
        symbol=symbol,
        side=Side.SELL if signed < 0 else Side.BUY,
        quantity=abs(signed),
        price=Decimal(price),
        fee=Decimal(fee),
        order=number,
        client_order_id=f"Bot-bt-{number}",
        number=number,
        position_id=position,
        rule=rule,
    )


def interest(*, bar: int = 0) -> Adjustment:
    """Charge a dollar of interest on cash at the start of a bar, after one fill."""
    return Adjustment(
        time_ns=START + bar * STEP,
        symbol="USD",
        position_id="",
        what="financing",
        units=Decimal(0),
        cash=Decimal(-1),
        price=None,
        fills_before=1,
    )


def series(closes: Sequence[float], *, symbol: str = "S:A", first: int = 0) -> BarSeries:
    """Make minute bars with these closes."""
    bars = BarSeries(symbol, "1m", STEP, sources={0: "made up"})
    for index, close in enumerate(closes, start=first):
        bars.append(START + index * STEP, close, close, close, close, 1.0)
    return bars


def points_of(curve: Iterable[CurvePart]) -> list[tuple[int, float]]:
    """List the points of a curve: time and equity."""
    return [
        (start + part.lag, equity)
        for part in curve
        for start, equity in zip(part.starts, part.equities, strict=True)
    ]


def curve_of(points: Sequence[tuple[int, float]]) -> list[CurvePart]:
    """Make a curve of one part, or of none if there are no points."""
    if not points:
        return []
    instants, equities = zip(*points, strict=True)
    return [CurvePart(instants, 0, equities)]
