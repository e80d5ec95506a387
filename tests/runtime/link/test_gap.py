"""After a gap every candle is delivered once, and no indicator has missed one."""

from collections.abc import Mapping
from typing import ClassVar

import pytest

from strategy_runtime import Candle, Gap, Strategy, clock
from strategy_runtime.clock import sleep
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.exchange import Exchange
from tests.chaos.busy import steps
from tests.chaos.plan import Fault, Kind
from tests.runtime.virtual_run import live_run

AWAY_S = 5.0
PERIOD = 4


class Listens(Strategy):
    """Records the origin of each close, and its average."""

    def on_start(self) -> None:
        self.average = self.sma(PERIOD)
        self.heard: list[tuple[str, float]] = []
        self.averages: list[tuple[float, float]] = []
        self.gaps: list[Gap] = []

    def on_candle(self, candle: Candle) -> None:
        self.heard.append(("late" if self.is_backfilling else "candle", candle.close))
        if self.average["S:A"].is_ready:
            self.averages.append((candle.close, self.average["S:A"].value))

    def on_reconnect(self, gap: Gap) -> None:
        self.gaps.append(gap)
        if not self.backfill:
            self.heard += [("missed", candle.close) for candle in gap.missed.get("S:A", [])]


class Backfills(Listens):
    backfill: ClassVar[bool] = True


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("kind", "word"), [(Listens, "missed"), (Backfills, "late")])
def test_every_candle_is_told_once_and_in_order(kind: type[Listens], word: str, seed: int) -> None:
    strategy = kind()

    async def wait(runner: Runner) -> None:
        await sleep(40)

    faults = (Fault(Kind.RESTART, 10, seconds=AWAY_S), Fault(Kind.DROP, 20))
    live_run(strategy, wait, faults=faults, seed=seed)
    closes = [close for _, close in strategy.heard]
    assert closes == [10 + number / 100 for number in range(len(closes))]
    assert len(closes) > 35
    assert 4 <= sum(found == word for found, _ in strategy.heard) <= 20
    for close, value in strategy.averages:
        assert value == pytest.approx(close - 0.01 * (PERIOD - 1) / 2)
    first, second = strategy.gaps
    assert AWAY_S <= first.seconds <= AWAY_S + 7
    assert second.seconds <= 7
    assert first.start.tzinfo is not None


def test_a_venue_without_bars_leaves_a_gap_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    strategy = Listens()

    async def wait(runner: Runner) -> None:
        await sleep(20)

    # One request finds the proxy, one its capabilities, three times five read its state; then the
    # bars follow.
    faults = (Fault(Kind.DROP, 10), Fault(Kind.STATUS_BEFORE, 18, number=404))
    live_run(strategy, wait, faults=faults)
    assert strategy.gaps[0].missed == {}
    assert "missed candles of S:A cannot be read: CHAOS: a status by chance" in (caplog.text)


class Holds(Listens):
    """Holds one unit, and has a bid below the market."""

    def on_candle(self, candle: Candle) -> None:
        if not self.heard:
            self.buy("S:A", 1)
            self.buy("S:A", 1, limit=9)
        super().on_candle(candle)


def test_the_log_tells_when_the_connection_is_back_and_what_there_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "strategy_runtime")
    strategy = Holds()
    live_run(strategy, lambda runner: sleep(30), faults=(Fault(Kind.RESTART, 10, seconds=AWAY_S),))
    (gap,) = strategy.gaps
    first, again = (line for line in caplog.messages if line.startswith("connected"))
    assert first == "connected; equity 100000 USD, own open orders: 0, positions: 0"
    missed = len(gap.missed["S:A"])
    assert again.startswith(
        f"connected again after {gap.seconds:.1f} s, candles missed: {missed}; equity 100000."
    )
    assert again.endswith(" USD, own open orders: 1, positions: 1")


class Lists(Strategy):
    """Records late candles, and those that its gap lists as missed."""

    backfill: ClassVar[bool] = True

    def on_start(self) -> None:
        self.late: list[Candle] = []
        self.missed: Mapping[str, list[Candle]] = {}

    def on_candle(self, candle: Candle) -> None:
        if self.is_backfilling:
            self.late.append(candle)

    def on_reconnect(self, gap: Gap) -> None:
        self.missed = gap.missed


def test_what_was_missed_of_several_symbols_comes_in_the_order_in_which_it_ended() -> None:
    strategy, symbols = Lists(), ("S:A", "S:B")
    exchange = Exchange([steps(symbol, [10.0] * 100) for symbol in symbols])
    faults = (Fault(Kind.RESTART, 20, seconds=AWAY_S),)
    live_run(strategy, lambda runner: sleep(30), faults=faults, exchange=exchange)
    came = [(candle.end, candle.symbol) for candle in strategy.late]
    assert len(came) >= 8
    assert came == sorted(came)
    assert strategy.missed == {
        symbol: [candle for candle in strategy.late if candle.symbol == symbol]
        for symbol in symbols
    }


class SetsTheClock(Listens):
    """The wall clock is set while the stream is down."""

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self._seconds = seconds

    def on_disconnect(self) -> None:
        clock.time.jump_s += self._seconds  # type: ignore[attr-defined]


@pytest.mark.parametrize("seconds", [86_400, -86_400])
def test_a_clock_that_is_set_makes_a_gap_no_longer_and_no_shorter(seconds: int) -> None:
    strategy = SetsTheClock(seconds)

    async def wait(runner: Runner) -> None:
        await sleep(30)

    live_run(strategy, wait, faults=(Fault(Kind.RESTART, 10, seconds=AWAY_S),))
    (gap,) = strategy.gaps
    assert AWAY_S <= gap.seconds <= AWAY_S + 7


class Greets(Listens):
    """Records the hooks about the link."""

    def on_start(self) -> None:
        super().on_start()
        self.link: list[str] = []

    def on_connect(self) -> None:
        self.link.append("connected")

    def on_disconnect(self) -> None:
        self.link.append("lost")

    def on_reconnect(self, gap: Gap) -> None:
        super().on_reconnect(gap)
        self.link.append("back")


def test_a_greeting_that_comes_again_on_a_link_that_is_up_is_no_gap() -> None:
    strategy = Greets()

    async def wait(runner: Runner) -> None:
        await sleep(30)

    live_run(strategy, wait, faults=(Fault(Kind.DUPLICATE, 1), Fault(Kind.DROP, 20)))
    assert strategy.link == ["connected", "lost", "connected", "back"]
    assert len(strategy.gaps) == 1
    closes = [close for _, close in strategy.heard]
    assert closes == [10 + number / 100 for number in range(len(closes))]
