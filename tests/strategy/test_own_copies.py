"""Lists, mappings and sets in a class body: each strategy has its own copies."""

from collections import defaultdict, deque
from threading import Lock
from typing import ClassVar

from strategy_runtime import Candle, Strategy
from strategy_runtime.backtesting import backtest
from strategy_runtime.demo import PRICES

LOCK = Lock()  # cannot be copied


class Base(Strategy):
    prices = []  # type: ignore[var-annotated]  # noqa: RUF012
    _seen: list[str] = []  # noqa: RUF012
    counts = defaultdict(int)  # type: ignore[var-annotated]  # noqa: RUF012
    symbols = ("S:AAPL",)
    shared: ClassVar[list[float]] = []


class Derived(Base):
    prices = [1.0]  # noqa: RUF012
    recent = deque([1], maxlen=2)  # noqa: RUF012
    nested = {"a": [[1], {2}], "lock": LOCK}  # noqa: RUF012


def test_each_instance_has_its_own_copy() -> None:
    one, other = Derived(), Derived()
    one.prices.append(2.0)
    one._seen.append("S:AAPL")
    one.counts["a"] += 1
    one.recent.extend([2, 3])
    one.nested["a"][0].append(5)  # type: ignore[index]
    one.nested["a"][1].add(6)  # type: ignore[index]
    assert (other.prices, other._seen, other.counts, [*other.recent]) == ([1.0], [], {}, [1])
    assert (Derived.prices, Base.prices, Base._seen, Base.counts) == ([1.0], [], [], {})
    assert (one.recent.maxlen, one.counts["b"]) == (2, 0)
    assert Derived.nested == other.nested == {"a": [[1], {2}], "lock": LOCK}


def test_what_is_annotated_with_classvar_is_shared() -> None:
    assert Derived().shared is Base.shared
    assert Derived().symbols is Base.symbols


class Replacing(Base):
    prices = None  # type: ignore[assignment]
    _seen = ()  # type: ignore[assignment]
    shared = [1.0]  # noqa: RUF012

    @property
    def counts(self) -> int:  # type: ignore[override]
        return 5


def test_an_attribute_of_a_derived_class_is_not_overwritten() -> None:
    one = Replacing()
    assert (one.prices, one._seen, one.counts) == (None, (), 5)
    assert one.shared is Replacing.shared


def test_a_run_does_not_begin_with_what_the_last_one_has_seen() -> None:
    class Counts(Strategy):
        closes = []  # noqa: RUF012

        def on_candle(self, candle: Candle) -> None:
            self.closes.append(candle.close)
            if len(self.closes) == 10:
                self.buy(candle.symbol, 1)

    first, second = (backtest(Counts(), PRICES).summary for _ in range(2))
    assert (first.fills, first.fill_hash) == (1, second.fill_hash)
