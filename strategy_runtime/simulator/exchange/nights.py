"""What happens to an account over night: interest, splits announced, and splits suspected."""

from decimal import Decimal

from strategy_runtime.clock import DAY_NS
from strategy_runtime.errors import DataError
from strategy_runtime.protocol.enums import OrderEventKind
from strategy_runtime.protocol.events import FinancingEvent
from strategy_runtime.protocol.values import decimal_of
from strategy_runtime.simulator.exchange.execution import Execution
from strategy_runtime.simulator.market import Instrument, Phase
from strategy_runtime.simulator.outcome import Adjustment
from strategy_runtime.simulator.splits import Split, suspected_split

__all__ = ["Nights"]

_ZERO = Decimal(0)
_YEAR_NIGHTS = 365
_GRAIN = Decimal("1e-10")


class Nights(Execution):
    """The exchange and its executions, and what time itself does to positions and orders."""

    __slots__ = ()

    # Interest

    def _face_risk(self, is_at_risk: bool) -> None:
        super()._face_risk(is_at_risk)
        if is_at_risk:
            self._charged_day = self._day_before(self.now_ns + (self.phase is not Phase.INTRABAR))

    def _pay_interest(self, until_ns: int) -> None:
        """Charge for the midnights (UTC) before an instant that have not been charged yet.

        Only an account at risk owes anything: short positions cost `borrow_rate` of their value,
        borrowed cash costs `financing_rate`, both a year of 365 nights.
        """
        day = self._day_before(until_ns)
        nights = day - self._charged_day
        if nights <= 0:
            return
        self._charged_day = day
        charged = False
        if self.options.borrow_rate:
            for holding in self._ledger.holdings.values():
                if holding.quantity < 0:
                    value = -holding.quantity * self._last_price(self._instruments[holding.symbol])
                    amount = _interest(value, self.options.borrow_rate, nights)
                    charged |= self._charge(holding.symbol, holding.id, amount, "borrow fee")
        if self.options.financing_rate and self._ledger.cash < 0:
            amount = _interest(-self._ledger.cash, self.options.financing_rate, nights)
            charged |= self._charge(self.options.currency, "", amount, "financing")
        if charged:
            self._tell_account()

    def _charge(self, symbol: str, position_id: str, amount: Decimal, what: str) -> bool:
        if not amount:
            return False
        self._ledger.charge(amount)
        self._note_adjustment(symbol, position_id, what, cash=-amount)
        self._emit(FinancingEvent(symbol=symbol, amount=-amount, timestamp=self.now))
        return True

    def _day_before(self, instant: int) -> int:
        """The UTC day that an instant ends or lies in: midnight belongs to the day it ends."""
        return (instant - 1) // DAY_NS

    def _last_price(self, instrument: Instrument) -> Decimal:
        return _ZERO if instrument.price is None else decimal_of(instrument.price)

    # Splits

    def _is_split_due(self, instrument: Instrument, start: int) -> bool:
        if not self._splits:
            return False
        ahead = self._splits.get(instrument.series.symbol)
        return bool(ahead and ahead[0][0] <= start)

    def _split_before(self, instrument: Instrument, start: int, opened: float) -> None:
        """Apply the splits that come before a bar or quote; those before the first are past."""
        ahead = self._splits[instrument.series.symbol]
        while ahead and ahead[0][0] <= start:
            _, split = ahead.popleft()
            if instrument.price is not None:
                self._split(instrument, split, instrument.price, opened)

    def _split(self, instrument: Instrument, split: Split, close: float, opened: float) -> None:
        symbol = split.symbol
        held, resting = self._ledger.of(symbol), list(instrument.resting.values())
        if (held or resting) and split.looks_done(close, opened):
            self._doubt(
                f"{symbol} went from {close:g} to {opened:g} over night, although a {split.ratio} "
                f"split was announced: the prices look adjusted for it already"
            )
        instrument.split_row = instrument.row
        instrument.price = float(split.price(decimal_of(close)))
        what, price = f"{split.ratio} split", instrument.price
        if resting:
            restated = tuple(order.id for order in resting)
            self._note_adjustment(symbol, "", what, restated=restated)
        for holding in held:
            before = holding.quantity
            holding.split(split.units(before), self.now_ns)
            gained = holding.quantity - before
            self._note_adjustment(symbol, holding.id, what, units=gained, price=price)
            self._tell_position(holding)
        for order in resting:
            instrument.resting.wake(order)
            order.split(split, self.now_ns)
            self._tell_order(order, OrderEventKind.ORDER_MODIFIED)

    def _look_for_split(self, instrument: Instrument) -> None:
        """Warn of a jump over night that looks like a split, where a position was held over it.

        To be called once a bar has begun and before anything fills in it, else at its close.
        """
        series, row = instrument.series, instrument.row
        if row == instrument.split_row:
            return
        instrument.split_row = row
        is_overnight = series.step >= DAY_NS or series.starts[row] > (
            series.starts[row - 1] + series.step
        )
        if not is_overnight or not self._ledger.of(series.symbol):
            return
        close, opened = series.closes[row - 1], series.opens[row]
        split = suspected_split(close, opened)
        if split is None:
            return
        place = series.where(row)
        where = f", {place}" if place else ""
        self._doubt(
            f"{series.symbol} went from {close:g} to {opened:g} over night with a position open: "
            f"it looks like a {split} split that the prices are not adjusted for{where}"
        )

    def _doubt(self, text: str) -> None:
        """Warn of data that cannot be right, or refuse them."""
        if self.options.refuse_splits:
            raise DataError(f"{text} (strict)")
        self._warn("DATA_ERROR", text)

    def _note_adjustment(
        self,
        symbol: str,
        position_id: str,
        what: str,
        *,
        units: Decimal = _ZERO,
        cash: Decimal = _ZERO,
        price: float | None = None,
        restated: tuple[str, ...] = (),
    ) -> None:
        self._adjustments.append(
            Adjustment(
                time_ns=self.now_ns,
                symbol=symbol,
                position_id=position_id,
                what=what,
                units=units,
                cash=cash,
                price=price,
                fills_before=len(self._fills),
                restated=restated,
            )
        )


def _interest(value: Decimal, rate: Decimal, nights: int) -> Decimal:
    return (value * rate * nights / _YEAR_NIGHTS).quantize(_GRAIN).normalize()
