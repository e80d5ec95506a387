"""What happens to an account overnight: interest, announced splits and suspected splits."""

from decimal import Decimal
from operator import attrgetter

from strategy_runtime.clock import DAY_NS
from strategy_runtime.errors import DataError
from strategy_runtime.protocol.enums import OrderEventKind
from strategy_runtime.protocol.events import FinancingEvent
from strategy_runtime.protocol.values import LONG, decimal_of
from strategy_runtime.simulator.data.series import QuoteSeries, middle
from strategy_runtime.simulator.exchange.news import News
from strategy_runtime.simulator.exchange.state import State
from strategy_runtime.simulator.market import Instrument
from strategy_runtime.simulator.outcome import Adjustment
from strategy_runtime.simulator.splits import Split, jump_of, suspected_split, suspicion_of

__all__ = ["Nights"]

_ZERO = Decimal(0)
_YEAR_NIGHTS = 365
_GRAIN = Decimal("1e-10")


class Nights:
    """Charges interest, applies announced splits and looks for unannounced ones."""

    __slots__ = ("_news", "_state")

    def __init__(self, state: State, news: News) -> None:
        self._state = state
        self._news = news

    # Interest

    def is_interest_due(self, until_ns: int) -> bool:
        """Return whether midnights (UTC) before an instant have not been charged yet."""
        return _day_before(until_ns) > _day_before(self._state.charged_ns)

    def charge_interest(self, until_ns: int) -> None:
        """Charge for the midnights (UTC) before an instant that have not been charged yet.

        Only an account at risk owes anything: short positions cost `borrow_rate` of their value and
        borrowed cash costs `financing_rate`, both per year of 365 nights.
        """
        state = self._state
        nights = _day_before(until_ns) - _day_before(state.charged_ns)
        if nights <= 0:
            return
        state.charged_ns = until_ns
        options, ledger, charged = state.options, state.ledger, False
        if options.borrow_rate:
            for holding in ledger.holdings.values():
                if holding.quantity < 0:
                    value = -holding.quantity * _last_price(state.instruments[holding.symbol])
                    amount = _interest(value, options.borrow_rate, nights)
                    charged |= self._charge(holding.symbol, holding.id, amount, "borrow fee")
        if options.financing_rate and ledger.cash < 0:
            amount = _interest(-ledger.cash, options.financing_rate, nights)
            charged |= self._charge(options.currency, "", amount, "financing")
        if charged:
            self._news.announce_account()

    def _charge(self, symbol: str, position_id: str, amount: Decimal, what: str) -> bool:
        if not amount:
            return False
        self._state.ledger.charge(amount)
        self._note_adjustment(symbol, position_id, what, cash=-amount)
        self._news.emit(FinancingEvent(symbol=symbol, amount=-amount, timestamp=self._state.now))
        return True

    # Splits

    def split_before(self, instrument: Instrument, start: int, opened: float) -> bool:
        """Apply the splits due before a bar or quote, and return whether there were any.

        Splits before the first price are dropped.
        """
        has_split = False
        while self._state.is_split_due(instrument, start):
            has_split = True
            _, split = self._state.splits[instrument.series.symbol].popleft()
            if instrument.price is not None:
                self._split(instrument, split, instrument.price, opened)
        return has_split

    def _split(self, instrument: Instrument, split: Split, close: float, opened: float) -> None:
        symbol = split.symbol
        held = self._state.ledger.of(symbol)
        resting = sorted(instrument.resting.values(), key=attrgetter("sequence"))
        if (held or resting) and split.looks_done(close, opened):
            self._warn_or_refuse(
                f"{symbol} went {jump_of(close, opened)}, although a {split.ratio} split was "
                "announced: the prices look adjusted for it already"
            )
        instrument.split_row = instrument.row
        instrument.price = float(split.price(decimal_of(close)))
        self._state.revalue_all()
        what, price = f"{split.ratio} split", instrument.price
        if resting:
            restated = tuple(order.id for order in resting)
            self._note_adjustment(symbol, "", what, restated=restated)
        for holding in held:
            before = holding.quantity
            holding.split(split.units(before), self._state.now_ns)
            gained = holding.quantity - before
            self._note_adjustment(symbol, holding.id, what, units=gained, price=price)
            self._news.announce_position(holding)
        for order in resting:
            instrument.resting.wake(order)
            order.split(split, self._state.now_ns)
            self._news.announce_order(order, OrderEventKind.ORDER_MODIFIED)

    def check_for_split(self, instrument: Instrument) -> None:
        """Warn of an overnight jump that looks like a split, if a position was held over it.

        Call it once a bar has started and before anything fills in it, else at its close.
        """
        series, row = instrument.series, instrument.row
        if row == instrument.split_row:
            return
        instrument.split_row = row
        is_overnight = series.step >= DAY_NS or series.starts[row] > (
            series.starts[row - 1] + series.step
        )
        if not is_overnight or not self._state.ledger.of(series.symbol):
            return
        close, opened = series.closes[row - 1], series.opens[row]
        split = suspected_split(close, opened)
        if split is not None:
            where = series.where(row)
            self._suspect(split, series.symbol, close, opened, series.starts[row], where)

    def check_quote_for_split(self, instrument: Instrument, quotes: QuoteSeries, tick: int) -> None:
        """Warn likewise for a symbol without bars, at its first quote or trade of another day.

        Both sides must have jumped, because quotes at night may be stale or far off the market.
        """
        if len(instrument.series) or not self._state.ledger.of(quotes.symbol):
            return
        bids, asks, before = quotes.bids, quotes.asks, tick - 1
        split = suspected_split(bids[before], bids[tick])
        if split is not None and split == suspected_split(asks[before], asks[tick]):
            close, opened = middle(bids[before], asks[before]), middle(bids[tick], asks[tick])
            self._suspect(split, quotes.symbol, close, opened, quotes.stamps[tick], "")

    def _suspect(
        self, split: str, symbol: str, close: float, opened: float, at_ns: int, place: str
    ) -> None:
        self._state.doubted.add((symbol, at_ns))
        jump = f"{symbol} went {jump_of(close, opened)} with a position open"
        self._warn_or_refuse(suspicion_of(jump, split, at_ns, place))

    def _warn_or_refuse(self, text: str) -> None:
        """Warn of data that look wrong, or refuse them in strict mode."""
        if self._state.options.refuse_splits:
            raise DataError(f"{text} (strict)")
        self._news.warn("DATA_ERROR", text)

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
        self._state.adjustments.append(
            Adjustment(
                time_ns=self._state.now_ns,
                symbol=symbol,
                position_id=position_id,
                what=what,
                units=units,
                cash=cash,
                price=price,
                fills_before=len(self._state.fills),
                restated=restated,
            )
        )


def _interest(value: Decimal, rate: Decimal, nights: int) -> Decimal:
    return (value * rate * nights / _YEAR_NIGHTS).quantize(_GRAIN, context=LONG).normalize()


def _day_before(instant: int) -> int:
    """Return the UTC day of an instant; midnight belongs to the day that ends."""
    return (instant - 1) // DAY_NS


def _last_price(instrument: Instrument) -> Decimal:
    return _ZERO if instrument.price is None else decimal_of(instrument.price)
