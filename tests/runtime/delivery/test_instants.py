"""`on_candles`: all candles of an instant together, in process, over sockets and live."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategy_runtime import Candle, Event, HookFailed, OrderEvent, Strategy
from strategy_runtime.clock import monotonic, sleep
from strategy_runtime.protocol.events import INSTANT_CLOSED, InstantClosed, Item
from strategy_runtime.protocol.subscriptions import parse_subscriptions
from strategy_runtime.proxy import ProxyVenue
from strategy_runtime.runtime.delivery.instants import Division, Gathering
from strategy_runtime.runtime.delivery.live_candles import LiveCandles
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from strategy_runtime.simulator.venue import SimulatedVenue
from tests.chaos import virtual_time
from tests.chaos.plan import Fault, Kind
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.proxy.scripted import COMPLETE, CONNECTED, ScriptedProxy, candle
from tests.runtime.virtual_run import live_run
from tests.simulator.support import MINUTE, no_short_cuts, over_sockets

EPOCH = datetime.fromtimestamp(0, UTC)


class Hears(Strategy):
    """Records what closed when, and trades in turns."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[list[str]] = []

    def on_candles(self, candles: list[Candle]) -> None:
        assert len({each.end for each in candles}) == 1
        self.heard.append([each.symbol for each in candles])
        if self.mode == "backtest":
            assert candles[0].end == self.now
        for each in candles:
            if self.position(each.symbol):
                self.close(each.symbol)
            elif each.close > candles[0].close:
                self.buy(each.symbol, 1)


class HearsBoth(Hears):
    """Also trades in between, so that runs of candles are left amid an instant."""

    def on_candle(self, candle: Candle) -> None:
        self.heard.append([candle.symbol[-1]])
        if not self.orders(candle.symbol):
            self.buy(candle.symbol, 1, limit=candle.close * 0.999, stop_loss=candle.close * 0.99)


class HearsLater(Hears):
    async def on_candle(self, candle: Candle) -> None:
        if candle.symbol == "S:B":
            await self.buy(candle.symbol, 1)

    async def on_candles(self, candles: list[Candle]) -> None:  # type: ignore[override]
        super().on_candles(candles)
        await self.buy(candles[-1].symbol, 1)


class HearsAll(Hears):
    def on_event(self, event: Event) -> None:
        if isinstance(event, OrderEvent):
            self.heard.append([event.order.id])
        assert not isinstance(event, InstantClosed)


class HearsAtTimers(Hears):
    def on_start(self) -> None:
        self.every("7m")

    def on_timer(self) -> None:
        self.heard.append(["timer"])


KINDS = [Hears, HearsBoth, HearsLater, HearsAll, HearsAtTimers]


def ragged(*missing: set[int], bars: int = 40) -> list[BarSeries]:
    """Return minute bars of a symbol for each set of bars that it does not have."""
    found: list[BarSeries] = []
    for rank, gaps in enumerate(missing):
        series = BarSeries(f"S:{'ABCDE'[rank]}", "1m", MINUTE)
        for number in range(bars):
            if number not in gaps:
                close = 10 + rank + (number * (7 + rank)) % 11
                series.append(number * MINUTE, close, close + 1, close - 1, close, 100.0)
        found.append(series)
    return found


async def outcome(strategy: Hears, data: list[BarSeries]) -> tuple[list[list[str]], list[Any]]:
    exchange = Exchange(data, ExchangeOptions())
    await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
    return strategy.heard, fills_of(exchange)


def fills_of(exchange: Exchange) -> list[Any]:
    return [(fill.order_id, fill.time_ns, fill.price) for fill in exchange.fills]


async def test_candles_of_an_instant_come_together_and_orders_fill_at_the_next_open() -> None:
    strategy = Hears()
    heard, fills = await outcome(strategy, ragged(set(), {1}, {0, 1}, bars=4))
    everything = ["S:A", "S:B", "S:C"]
    assert heard == [["S:A", "S:B"], ["S:A"], everything, everything]
    assert fills[0][1] == 2 * MINUTE, "ordered at the end of the first bar; its next is the third"


async def test_they_come_after_the_hook_of_each() -> None:
    strategy = HearsBoth()
    heard, _ = await outcome(strategy, ragged(set(), {1}, bars=2))
    assert heard == [["A"], ["B"], ["S:A", "S:B"], ["A"], ["S:A"]]


gaps = st.sets(st.integers(0, 39), max_size=6)


@given(st.sampled_from(KINDS), st.lists(gaps | st.just(set[int]()), min_size=1, max_size=4))
async def test_it_is_the_same_on_every_path(kind: type[Hears], missing: list[set[int]]) -> None:
    fast = await outcome(kind(), ragged(*missing))
    with no_short_cuts():
        assert await outcome(kind(), ragged(*missing)) == fast
    together = [each for each in fast[0] if each[0].startswith("S:")]
    assert together == [
        found
        for number in range(40)
        if (found := [f"S:{'ABCDE'[r]}" for r, gap in enumerate(missing) if number not in gap])
    ]


class Fails(Hears):
    def on_candle(self, candle: Candle) -> None:
        pass

    def on_candles(self, candles: list[Candle]) -> None:
        super().on_candles(candles)
        if len(self.heard) == 2:
            raise ValueError("on purpose")


class Holds(Hears):
    def on_candles(self, candles: list[Candle]) -> None:
        self.heard.append([each.symbol for each in candles])
        if not self.positions:
            self.buy("S:B", 1)


async def test_a_day_that_looks_like_a_split_does_not_divide_an_instant() -> None:
    found = ragged(set(), set(), set(), bars=0)
    for series in found:
        series.timeframe, series.step = "1d", 1440 * MINUTE
        for number in range(4):
            price = 10 if series.symbol == "S:B" and number == 3 else 20
            series.append(number * series.step, price, price, price, price, 100.0)
    heard, fills = await outcome(Holds(), found)
    assert heard == [["S:A", "S:B", "S:C"]] * 4
    assert len(fills) == 1, "held over the jump"


async def test_its_failure_names_it_and_the_place() -> None:
    with pytest.raises(HookFailed, match=r"on_candles .*candle S:B 1970-01-01T00:01:00Z"):
        await outcome(Fails(), ragged(set(), set(), bars=4))


async def test_after_a_failure_the_next_instant_is_whole() -> None:
    strategy = Fails()
    exchange = Exchange(ragged(set(), set(), bars=4), ExchangeOptions())
    runner = Runner(strategy, SimulatedVenue(exchange), mode="backtest", on_error="continue")
    await runner.run()
    assert strategy.heard == [["S:A", "S:B"]] * 4
    assert runner.hook_failures == 1


# Over sockets


@pytest.mark.parametrize("subscriptions", ["", "S:A:candle,S:B:candle"])
@pytest.mark.parametrize("kind", KINDS)
async def test_over_sockets_it_is_the_same_whatever_bars_are_missing(
    kind: type[Hears], subscriptions: str
) -> None:
    def data() -> list[BarSeries]:
        return ragged({3, 4, 9}, {4, 7, 20, 39}, {1, 4, 8, 9, 30}, bars=40)

    wanted = parse_subscriptions(subscriptions)
    exchange, strategy = Exchange(data()), kind()
    async with over_sockets(exchange, wanted) as venue:
        await Runner(strategy, venue, mode="backtest", subscriptions=wanted).run()
    expected = await outcome(kind(), data()[: 2 if subscriptions else 3])
    assert len(exchange.fills) > 10
    assert (strategy.heard, fills_of(exchange)) == expected


async def one_by_one(
    strategy: Strategy,
    *candles: dict[str, Any],
    features: list[str],
    subscriptions: str = "",
    acked: Callable[[], None] = lambda: None,
) -> list[list[str]]:
    """Run a backtest against a proxy that sends one candle after the other is acknowledged.

    Args:
        acked: Called after each of them.

    Returns:
        The acknowledgements.
    """

    async def scene(proxy: ScriptedProxy, socket: Any) -> None:
        await proxy.say(socket, CONNECTED)
        for frame in candles:
            await proxy.say(socket, frame)
            await proxy.until_acked(frame["event_id"])
            acked()
        await proxy.say(socket, COMPLETE)
        await proxy.until_acked("evt-end")

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {"features": features})]
        wanted = parse_subscriptions(subscriptions)
        venue = ProxyVenue(proxy.endpoints, is_live=False, subscriptions=wanted)
        await Runner(strategy, venue, mode="backtest", subscriptions=wanted).run()
        return proxy.acks


class Listens(Strategy):
    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def on_candle(self, candle: Candle) -> None:
        self.heard.append(candle.symbol)

    def on_candles(self, candles: list[Candle]) -> None:
        self.heard.append("+".join(each.symbol for each in candles))


def at(minute: int, symbol: str, number: int, **extra: Any) -> dict[str, Any]:
    return candle(minute, symbol=symbol, **extra) | {"event_id": f"evt-{number}"}


UNMARKED = [at(1, "S:A", 1), at(1, "S:B", 2), at(2, "S:A", 3), at(3, "S:A", 4), at(3, "S:B", 5)]


async def test_a_proxy_that_marks_candles_is_believed() -> None:
    strategy = Listens()
    marked = [at(1, "S:A", 1, more=True), at(1, "S:B", 2), at(2, "S:A", 3)]
    await one_by_one(strategy, *marked, features=["instants"])
    assert strategy.heard == ["S:A", "S:B", "S:A+S:B", "S:A", "S:A"]


async def test_without_marks_an_instant_is_over_when_all_that_is_subscribed_to_has_come(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strategy = Listens()
    wanted = "S:A:candle,S:B:candle_1m"
    await one_by_one(strategy, *UNMARKED, features=[], subscriptions=wanted)
    first, missing = ["S:A", "S:B", "S:A+S:B"], ["S:A", "S:A"]  # the latter one comes late
    assert strategy.heard == [*first, *missing, *first]
    assert "on_candles" not in caplog.text


async def test_without_marks_and_names_it_is_over_when_the_next_begins_and_a_warning_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    strategy = Listens()
    await one_by_one(strategy, *UNMARKED, features=[])
    both = ["S:A", "S:B", "S:A+S:B"]
    assert strategy.heard == [*both, "S:A", "S:A", *both], "the last one ends with the backtest"
    assert (
        "this proxy does not tell which candle of an instant is the last, so on_candles is called "
        "when the next instant has begun, and its orders fill a bar later: subscribe by symbol, as "
        "in S:AAPL:candle,S:MSFT:candle"
    ) in caplog.text


def of_days(symbol: str, number: int, day: int, hour: int) -> dict[str, Any]:
    frame = at(0, symbol, number)
    started = f"2024-03-{day:02}T{hour:02}:00:00Z"
    return frame | {"bar": frame["bar"] | {"timeframe": "1d", "timestamp": started}}


@pytest.mark.parametrize("hour", [0, 5])
@pytest.mark.parametrize("subscriptions", ["S:A:candle,S:B:candle", "S:A:candle_1d,S:B:candle_1d"])
async def test_days_are_over_with_the_last_of_them_named_or_not_and_whenever_they_begin(
    subscriptions: str, hour: int
) -> None:
    strategy = Listens()
    known: list[str] = []
    rows = [("S:A", 1, 4), ("S:B", 2, 4), ("S:A", 3, 5), ("S:B", 4, 5)]
    days = [of_days(*row, hour) for row in rows]
    await one_by_one(
        strategy,
        *days,
        features=[],
        subscriptions=subscriptions,
        acked=lambda: known.append(strategy.heard[-1]),
    )
    assert known == ["S:A", "S:A+S:B"] * 2


async def test_marked_candles_of_several_timeframes_are_one_instant() -> None:
    strategy = Listens()
    frames = [at(4, symbol, number) for number, symbol in enumerate(["S:A", "S:B", "S:A", "S:B"])]
    for frame in frames[2:]:
        frame["bar"] |= {"timeframe": "5m", "timestamp": "2024-03-04T14:00:00Z"}
    for frame in frames[:3]:
        frame["more"] = True
    wanted = "S:A:candle,S:B:candle"
    await one_by_one(strategy, *frames, features=["instants"], subscriptions=wanted)
    assert strategy.heard == ["S:A", "S:B", "S:A", "S:B", "S:A+S:B+S:A+S:B"]


class FailsAtOnce(Strategy):
    def on_candles(self, candles: list[Candle]) -> None:
        raise ValueError("on purpose")


async def test_its_failure_names_the_last_of_its_candles_whatever_came_since() -> None:
    quote = {"symbol": "S:A", "bid": "9", "ask": "10", "timestamp": "2024-03-04T14:02:30Z"}
    later = {"type": "quote", "event_id": "evt-2", "quote": quote}
    with pytest.raises(HookFailed, match=r"on_candles .*candle S:A 2024-03-04T14:01:00Z"):
        await one_by_one(FailsAtOnce(), at(1, "S:A", 1), later, at(2, "S:A", 3), features=[])


class Quits(Listens):
    def on_candles(self, candles: list[Candle]) -> None:
        super().on_candles(candles)
        self.quit("on purpose")


@pytest.mark.parametrize(
    ("subscriptions", "acknowledged"),
    [("", ["evt-1", "evt-2"]), ("S:A:candle,S:B:candle", ["evt-1"])],
)
async def test_a_run_that_quits_there_acknowledges_what_came_before_and_no_more(
    subscriptions: str, acknowledged: list[str]
) -> None:
    strategy = Quits()

    async def scene(proxy: ScriptedProxy, socket: Any) -> None:
        await proxy.say(socket, CONNECTED, *UNMARKED)
        await proxy.until_closed(socket)

    async with ScriptedProxy(scene).serving() as proxy:
        proxy.answers["GET", "/capabilities"] = [(200, {"features": []})]
        wanted = parse_subscriptions(subscriptions)
        venue = ProxyVenue(proxy.endpoints, is_live=False, subscriptions=wanted)
        await Runner(strategy, venue, mode="backtest", subscriptions=wanted).run()
    assert [each for ack in proxy.acks for each in ack] == acknowledged
    assert strategy.heard == ["S:A", "S:B", "S:A+S:B"]


# What comes late


def bar(symbol: str, minute: int) -> Candle:
    return Candle(symbol, "1m", datetime(2024, 3, 4, 14, minute, tzinfo=UTC), 10, 10, 10, 10)


class Gathered:
    """Candles as they are gathered live from a proxy that marks nothing."""

    def __init__(self) -> None:
        self.together: list[list[str]] = []
        self.gathering, candles = Gathering(), LiveCandles()
        gather = self.gathering.gathering(None, is_live=True)
        self.handle = candles.once(gather, gather)
        self.close = self.gathering.closing(self.hear)
        self.division = Division(self.gathering, candles, parse_subscriptions(""), "1m")

    def hear(self, candles: list[Candle]) -> None:
        self.together.append([f"{each.symbol}@{each.timestamp:%M}" for each in candles])

    def take(self, items: Iterator[Item]) -> None:
        for item in items:
            if isinstance(item, InstantClosed):
                self.close(item)
            else:
                self.handle(item)


def test_a_candle_that_comes_again_amid_an_instant_does_not_end_it() -> None:
    gathered = Gathered()
    rows = [("A", 1), ("B", 1), ("A", 2), ("A", 1), ("B", 2), ("A", 3)]
    gathered.take(gathered.division.divided(bar(*row) for row in rows))
    assert gathered.together == [["A@01", "B@01"], ["A@02", "B@02"]]


def test_a_candle_that_comes_late_amid_another_instant_is_not_mixed_with_it() -> None:
    gathered = Gathered()
    rows = [("A", 2), ("B", 1), ("B", 2), ("A", 3)]
    gathered.take(gathered.division.divided(bar(*row) for row in rows))
    assert gathered.together == [["A@02"], ["B@01"], ["B@02"]]


def test_an_instant_without_candles_is_not_told() -> None:
    gathered = Gathered()
    items: list[Item] = [INSTANT_CLOSED, bar("A", 1), INSTANT_CLOSED, INSTANT_CLOSED]
    assert list(map(type, gathered.division.divided(iter(items)))) == [Candle]


def test_missed_candles_join_those_of_their_instant_that_came_before_the_gap() -> None:
    gathered = Gathered()
    gathered.take(iter([bar("A", 1)]))
    rows = [("B", 1), ("A", 2), ("B", 2)]
    gathered.take(gathered.gathering.by_instant(bar(*row) for row in rows))
    assert gathered.together == [["A@01", "B@01"], ["A@02", "B@02"]]


def test_the_time_that_a_hook_takes_is_not_counted_as_waiting() -> None:
    async def work() -> list[bool]:
        gathered = Gathered()
        for item in gathered.division.divided(iter([bar("A", 1)])):
            gathered.take(iter([item]))
            await sleep(3)
        ends = []
        for _ in range(3):
            ends.append(any(gathered.gathering.end_if_overdue()))
            await sleep(1)
        return ends

    loop = VirtualLoop()
    assert virtual_time.run(work(), loop, VirtualTime(loop)) == [False, False, True]


# Live


class Lives(Listens):
    """Also records how many candles came together, and how long after the last of them."""

    backfill: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.together: list[tuple[bool, int, float]] = []
        self.heard_at = 0.0
        self.candles = 0

    def on_candle(self, candle: Candle) -> None:
        super().on_candle(candle)
        self.candles += 1
        self.heard_at = monotonic()

    def on_candles(self, candles: list[Candle]) -> None:
        super().on_candles(candles)
        assert len({each.end for each in candles}) == 1
        self.together.append((self.is_backfilling, len(candles), monotonic() - self.heard_at))


def two_symbols(*gaps: range) -> Exchange:
    """Return an exchange of two symbols which lack some bars."""
    data: list[BarSeries] = []
    for symbol, gap in zip(("S:A", "S:B"), gaps, strict=True):
        series = BarSeries(symbol, "1m", MINUTE)
        for number in range(60):
            if number not in gap:
                series.append(number * MINUTE, 10, 10, 10, 10, 1)
        data.append(series)
    return Exchange(data)


def lives(exchange: Exchange, *faults: Fault, seed: int = 0) -> Lives:
    strategy = Lives()
    live_run(strategy, lambda runner: sleep(40), faults=faults, seed=seed, exchange=exchange)
    return strategy


def test_live_an_instant_ends_with_its_last_candle_even_if_a_bar_is_missing() -> None:
    strategy = lives(two_symbols(range(0), range(5, 6)))
    counts = [count for _, count, _ in strategy.together]
    assert counts == [2] * 5 + [1] + [2] * (len(counts) - 6)
    assert len(counts) > 30
    assert max(after for _, _, after in strategy.together) == 0


def test_live_without_marks_it_ends_with_the_next_candle_or_after_two_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("strategy_runtime.simulator.exchange.answers._FEATURES", [])
    strategy = lives(two_symbols(range(5, 9), range(4, 9)))
    counts = [count for _, count, _ in strategy.together]
    assert counts == [2] * 4 + [1] + [2] * (len(counts) - 5)
    waited = [round(after, 1) for _, _, after in strategy.together]
    assert waited == [1] * 4 + [2] + [1] * (len(counts) - 5)


@pytest.mark.parametrize("seed", range(10))
def test_live_missed_candles_that_are_told_late_come_together_too(seed: int) -> None:
    faults = (Fault(Kind.RESTART, 10, seconds=5.0), Fault(Kind.DROP, 20))
    strategy = lives(two_symbols(range(0), range(0)), *faults, seed=seed)
    counts = [count for _, count, _ in strategy.together]
    assert counts.count(2) >= len(counts) - 2, "only where the connection was lost amid them"
    assert sum(is_late for is_late, _, _ in strategy.together) >= 4
    assert sum(counts) == strategy.candles
