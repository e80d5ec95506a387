"""nautilus_trader, with its own bars; it fills at the close, which equals the next open."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

from benchmarks.engines import CASH, SLOW, Fill, Means, Run
from benchmarks.market import MINUTE_NS, START_NS, Columns

__all__ = ["prepare"]


class SmaCross(Strategy):  # type: ignore[misc]
    def prepare(self, instrument: Any, bar_type: Any, bars: int) -> None:
        self.instrument, self.bar_type, self.bars = instrument, bar_type, bars
        self.symbol = instrument.id.symbol.value
        self.means = Means()
        self.above = True
        self.is_long = False
        self.row = -1
        self.fills: list[Fill] = []

    def on_start(self) -> None:
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Any) -> None:
        self.row += 1
        means = self.means
        means.push(float(bar.close))
        if self.row < SLOW - 1:
            return
        if means.fast > means.slow:
            if not self.above and not self.is_long:
                self.send(OrderSide.BUY)
            self.above = True
        else:
            self.above = False
            if means.fast < means.slow and self.is_long:
                self.send(OrderSide.SELL)

    def send(self, side: Any) -> None:
        self.submit_order(self.order_factory.market(self.instrument.id, side, Quantity.from_int(1)))

    def on_order_filled(self, event: Any) -> None:
        sign = 1 if event.order_side == OrderSide.BUY else -1
        self.is_long = sign > 0
        if self.row + 1 < self.bars:  # other engines do not fill orders of the last bar
            self.fills.append(Fill(self.symbol, self.row + 1, sign, float(event.last_px)))


def prepare(columns: list[Columns]) -> Run:
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=Venue("SIM"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=USD,
        starting_balances=[Money(CASH, USD)],
        default_leverage=Decimal(1),
    )
    strategies = []
    for each in columns:
        instrument = TestInstrumentProvider.equity(symbol=each.symbol, venue="SIM")
        engine.add_instrument(instrument)
        bar_type = BarType.from_str(f"{instrument.id}-1-MINUTE-LAST-EXTERNAL")
        volume = Quantity.from_int(1_000_000)
        bars = []
        for row, prices in enumerate(zip(*each[1:], strict=True)):
            stamp = START_NS + (row + 1) * MINUTE_NS
            bars.append(Bar(bar_type, *(Price(price, 2) for price in prices), volume, stamp, stamp))
        engine.add_data(bars)
        strategy = SmaCross()
        strategy.prepare(instrument, bar_type, len(bars))
        engine.add_strategy(strategy)
        strategies.append(strategy)

    def run() -> Callable[[], list[Fill]]:
        engine.run()
        return lambda: [fill for strategy in strategies for fill in strategy.fills]

    return run
