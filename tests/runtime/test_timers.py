"""Timers and runs of candles: they fire as they would among single candles."""

import re
from contextvars import ContextVar
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from strategy_runtime import Candle, HookFailed, Strategy, Timer
from strategy_runtime.clock import ns_of, sleep, utc
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.runtime.clock import RunClock
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.timers import Timers
from strategy_runtime.simulator.data.series import BarSeries
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.venue import SimulatedVenue
from strategy_runtime.strategy.desk import Mode
from tests.runtime.virtual_run import live_run
from tests.simulator.support import MINUTE
from tests.work import growth

START = ns_of(datetime(2024, 2, 28, 23, 0, tzinfo=UTC))


class Ticking(Strategy):
    """Records candles and timers; one timer sets another and places an order."""

    def on_start(self) -> None:
        self.seen: list[tuple[str, datetime]] = []
        self.every("7m", self.seven)
        self.at("23:30:30", self.half_past)
        self.at("00:00", self.midnight)

    def on_candle(self, candle: Candle) -> None:
        self.seen.append((candle.symbol, self.now))

    def seven(self) -> None:
        self.seen.append(("seven", self.now))
        if not any(name == "hourly" for name, _ in self.seen):
            self.seen.append(("hourly", self.now))
            self.every("1h", self.hourly)
            self.buy("S:A", 1)

    def hourly(self) -> None:
        self.seen.append(("hour", self.now))

    async def half_past(self) -> None:
        self.seen.append(("half past", self.now))

    def midnight(self) -> None:
        self.seen.append(("midnight", self.now))


class OneByOne(Ticking):
    """The same with a catch-all hook, so that each candle is handled by itself."""

    async def on_event(self, event: Any) -> None:
        pass


def bars(symbol: str, missing: range = range(0)) -> BarSeries:
    series = BarSeries(symbol, "1m", MINUTE)
    for minute in range(180):
        if minute not in missing:
            series.append(START + minute * MINUTE, 5.0, 5.0, 5.0, 5.0, 1.0)
    return series


@pytest.mark.parametrize("missing", [range(0), range(20, 29), range(55, 120), range(1, 180)])
@pytest.mark.parametrize("symbols", [["S:A"], ["S:A", "S:B"]])
async def test_timers_fire_where_they_would_among_single_candles(
    symbols: list[str], missing: range
) -> None:
    logs = []
    for kind in (Ticking, OneByOne):
        exchange = Exchange([bars(symbol, missing) for symbol in symbols])
        strategy = kind()
        await Runner(strategy, SimulatedVenue(exchange), mode="backtest").run()
        logs.append((strategy.seen, [(fill.time_ns, fill.price) for fill in exchange.fills]))
    assert logs[0] == logs[1]
    names = {name for name, _ in logs[0][0]}
    if len(missing) < 100:
        assert names == {*symbols, "seven", "hourly", "hour", "half past", "midnight"}


@pytest.mark.parametrize("year", [1800, 1927, 1969, 2024])
async def test_timers_fire_in_whatever_year_it_is(year: int) -> None:
    class Hourly(Strategy):
        def on_start(self) -> None:
            self.fired: list[datetime] = []
            self.every("1h", self.hour)

        def on_candle(self, candle: Candle) -> None: ...

        def hour(self) -> None:
            self.fired.append(self.now)

    evening = datetime(year, 12, 31, 22, tzinfo=UTC)
    series = BarSeries("S:A", "30m", 30 * MINUTE)
    for bar in range(8):
        series.append(ns_of(evening) + bar * series.step, 5.0, 5.0, 5.0, 5.0, 1.0)
    strategy = Hourly()
    await Runner(strategy, SimulatedVenue(Exchange([series])), mode="backtest").run()
    assert strategy.fired == [evening + timedelta(hours=hours) for hours in range(1, 5)]


@pytest.mark.parametrize("timeframe", ["1m", "1h", "1d", "1w", "1M", "3M"])
@pytest.mark.parametrize("day", range(1, 29, 3))
def test_a_bar_that_begins_earlier_ends_before_anything_is_due(timeframe: str, day: int) -> None:
    timers = Timers(RunClock("backtest"))
    # Before anything was asked for.
    earliest_due_start = timers.earliest_due_start(timeframe)
    assert earliest_due_start < ns_of(datetime(1678, 1, 1, tzinfo=UTC))
    timers.at("12:30", lambda: None, UTC)
    asked = datetime(2024, 2, day, 13, tzinfo=UTC)
    assert list(timers.due(asked)) == []
    earliest_due_start = timers.earliest_due_start(timeframe)
    due = asked.replace(hour=12, minute=30) + timedelta(days=1)
    begins = asked.replace(hour=0, year=2023)
    while begins < due:
        ends = Candle("S:A", timeframe, begins, 1.0, 1.0, 1.0, 1.0).end
        assert ends >= due or ns_of(begins) < earliest_due_start or timeframe.endswith("M")
        assert ends < due or ns_of(begins) >= earliest_due_start
        begins += timedelta(hours=1)


class Clockwork(Strategy):
    """Live: records when timers fire, sets one in another, and is sometimes slow or fails."""

    def on_start(self) -> None:
        self.seen: list[tuple[str, datetime]] = []
        self.failed: list[Exception] = []
        self.candles = 0
        self.every("1m", self.minute)

    def on_candle(self, candle: Candle) -> None:
        self.candles += 1

    def on_error(self, error: Exception) -> None:
        self.failed.append(error)

    async def minute(self) -> None:
        self.seen.append(("minute", self.now))
        if len(self.seen) == 1:
            self.every("25s", self.often)
            later = self.now + timedelta(minutes=4, seconds=13)
            self.at(f"{later:%H:%M:%S}", self.once)
        if len(self.seen) == 2:
            await self.buy("S:A", 1)

    async def often(self) -> None:
        self.seen.append(("often", self.now))
        if len([name for name, _ in self.seen if name == "often"]) == 2:
            await sleep(100)

    def once(self) -> None:
        self.seen.append(("once", self.now))
        raise ValueError("once")


def test_live_timers_fire_by_the_wall_clock_though_nothing_comes() -> None:
    strategy, series = Clockwork(), BarSeries("S:A", "1m", MINUTE)
    for minute in (0, 1, 60 * 11):  # of which sixty pass in a minute
        series.append(START + minute * MINUTE, 5.0, 5.0, 5.0, 5.0, 1.0)
    live_run(strategy, lambda runner: sleep(600), exchange=Exchange([series]))
    began = strategy.seen[0][1]
    at = [(name, round((when - began).total_seconds(), 3)) for name, when in strategy.seen]
    assert began.second == 0
    minutes = [seconds for name, seconds in at if name == "minute"]
    often = [seconds for name, seconds in at if name == "often"]
    waited = often[1] + 100
    assert strategy.candles == 2
    assert [seconds for seconds in minutes if seconds % 60] == [waited]  # for all that had passed
    assert minutes[-1] > 450
    assert not any(often[1] < seconds < waited for _, seconds in at)  # one hook at a time
    assert ("once", 253.0) in at
    assert [str(error) for error in strategy.failed] == ["once failed"]
    assert len(at) == len(set(at))


CANDLES: ContextVar[int] = ContextVar("candles", default=0)


def test_live_timers_see_what_other_hooks_have_set_in_a_context_variable() -> None:
    class Counts(Strategy):
        def on_start(self) -> None:
            self.seen: list[int] = []
            self.every("10s", self.look)

        def on_candle(self, candle: Candle) -> None:
            CANDLES.set(CANDLES.get() + 1)

        def look(self) -> None:
            self.seen.append(CANDLES.get())

    strategy = Counts()
    live_run(strategy, lambda runner: sleep(60))
    assert strategy.seen[-1] > strategy.seen[0] > 0
    assert CANDLES.get() == 0


@pytest.mark.parametrize("days", [1, -1])
def test_a_clock_that_is_set_neither_stalls_nor_hurries_a_timer(days: int) -> None:
    timers, fired = Timers(RunClock("live")), list[float]()
    timers.every("1m", lambda: None)
    timers.at("12:00:30", lambda: None, "UTC")
    noon = datetime(2024, 2, 28, 12, 0, tzinfo=UTC)
    for second in range(1, 241):
        moment = noon + timedelta(seconds=second, days=days if second > 100 else 0)
        assert timers.seconds_to_next(moment) <= 60
        fired += [second for _ in timers.overdue(moment)]
    ahead = [101, 101] if days == 1 else []  # what has passed meanwhile, once each
    assert fired == [30, 60, *ahead, 120, 180, 240]


def test_a_correction_of_the_clock_has_nothing_fire_twice() -> None:
    timers = Timers(RunClock("live"))
    timers.at("12:00", lambda: None, "UTC")
    noon = datetime(2024, 3, 4, 12, tzinfo=UTC)
    for moment, due in (
        (noon - timedelta(hours=1), 0),
        (noon, 1),
        (noon - timedelta(seconds=50), 0),
        (noon, 0),
        (noon + timedelta(days=1), 1),
        (noon - timedelta(hours=2), 0),
        (noon, 1),
    ):
        assert len(list(timers.overdue(moment))) == due
    assert timers.seconds_to_next(noon) == 86_400


def test_an_event_that_is_late_has_nothing_fire_twice_in_a_backtest() -> None:
    timers = Timers(RunClock("backtest"))
    noon = datetime(2024, 3, 4, 12, tzinfo=UTC)
    timers.every("1h", lambda: None)
    assert [when for when, _ in timers.due(noon)] == [noon]
    timers.at("11:45", lambda: None, "UTC")
    assert list(timers.due(noon - timedelta(minutes=30))) == []
    half_past = noon + timedelta(minutes=30)
    assert [when for when, _ in timers.due(half_past)] == [noon - timedelta(minutes=15)]


@pytest.mark.parametrize("mode", ["backtest", "live"])
def test_timers_of_one_time_fire_as_they_were_set_and_look_at_no_others(mode: Mode) -> None:
    noon = datetime(2024, 3, 4, 12, tzinfo=UTC)

    def fire(count: int) -> None:
        fired: list[int] = []
        timers = Timers(RunClock(mode))
        for number in range(count):
            timers.every("1h", partial(fired.append, number))
        if mode == "backtest":
            for _, function in timers.due(noon):
                function()
        else:
            for moment in (noon, noon - timedelta(hours=3), noon - timedelta(hours=2)):
                timers.seconds_to_next(moment)
                for function in timers.overdue(moment):
                    function()
        times = 1 if mode == "backtest" else 3
        assert fired == [*range(count)] * times

    assert growth(fire, 100) < 2.1


@pytest.mark.parametrize("interval", ["1w", "2w", "3d", "1M", "3M"])
def test_a_timer_of_days_and_weeks_begins_with_the_candles_of_its_length(interval: str) -> None:
    timers = Timers(RunClock("live"))
    timers.every(interval, lambda: None)
    moment = datetime(2024, 3, 6, 12, tzinfo=UTC)
    due = moment + timedelta(seconds=timers.seconds_to_next(moment))
    assert due == utc(parse_timeframe(interval).span_around(ns_of(moment))[1])
    assert interval[-1] != "w" or f"{due:%A}" == "Monday"
    assert interval[-1] != "M" or f"{due:%m-%d}" == "04-01"


@pytest.mark.parametrize("given", ["9:30am", "25:00", 930, time(9, 30)])
def test_what_is_no_time_of_day_is_refused_with_how_to_write_one(given: Any) -> None:
    said = rf"{re.escape(repr(given))}\): write '09:30' or '09:30:00'$"
    with pytest.raises(ValueError, match=said):
        Timers(RunClock("backtest")).at(given, print, UTC)


def test_a_time_of_day_with_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match=r"at\('09:30\+02:00'\): give the time zone as tz=$"):
        Timers(RunClock("backtest")).at("09:30+02:00", print, UTC)


@pytest.mark.parametrize("tz", ["Mars/Olympus", "America", "../UTC", "", "x" * 300, None, 5])
def test_what_is_no_time_zone_is_refused_with_one_that_is(tz: Any) -> None:
    said = rf"tz={re.escape(repr(tz))}\): no such time zone; try 'America/New_York'$"
    with pytest.raises(ValueError, match=said):
        Timers(RunClock("backtest")).at("09:30", print, tz)


class OfPytz(tzinfo):
    """Like zones of pytz: they have a name, and as `tzinfo` of a time mean local mean time."""

    zone = "America/New_York"

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return -timedelta(hours=4, minutes=56)

    def fromutc(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.zone)).replace(tzinfo=self)

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return "LMT"


@pytest.mark.parametrize("tz", ["America/New_York", ZoneInfo("America/New_York"), OfPytz()])
def test_a_time_of_day_is_that_of_the_clocks_in_its_zone_whoever_made_the_zone(
    tz: tzinfo | str,
) -> None:
    timers = Timers(RunClock("backtest"))
    timers.at("15:55", print, tz)
    friday = datetime(2024, 3, 8, 12, tzinfo=UTC)
    assert list(timers.due(friday)) == []
    fired = [f"{when:%a %H:%M}" for when, _ in timers.due(friday + timedelta(days=3, hours=12))]
    assert fired == ["Fri 20:55", "Sat 20:55", "Sun 19:55", "Mon 19:55"]


@pytest.mark.parametrize(
    ("tz", "day", "clock", "fires"),
    [
        ("America/New_York", "2024-03-10", "02:30", "03:30-04:00"),
        ("America/New_York", "2024-11-03", "01:30", "01:30-04:00"),
        ("Australia/Lord_Howe", "2024-10-06", "02:15", "02:45+11:00"),
        ("Australia/Lord_Howe", "2024-04-07", "01:45", "01:45+11:00"),
        ("America/Havana", "2024-03-10", "00:00", "01:00-04:00"),
    ],
)
def test_a_time_of_day_comes_once_a_day_whatever_the_clocks_do(
    tz: str, day: str, clock: str, fires: str
) -> None:
    timers, zone = Timers(RunClock("backtest")), ZoneInfo(tz)
    timers.at(clock, print, tz)
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=zone)
    assert list(timers.due(noon - timedelta(days=1))) == []
    first, second = (when.astimezone(zone) for when, _ in timers.due(noon + timedelta(days=1)))
    assert first.isoformat("T", "minutes") == f"{day}T{fires}"
    assert f"{second:%H:%M}" == clock


def test_a_timer_of_months_fires_on_the_first_of_each() -> None:
    timers, start = Timers(RunClock("backtest")), datetime(2024, 1, 15, tzinfo=UTC)
    timers.every("1M", lambda: None)
    assert list(timers.due(start)) == []
    fired = [when for when, _ in timers.due(datetime(2024, 4, 2, tzinfo=UTC))]
    assert fired == [datetime(2024, month, 1, tzinfo=UTC) for month in (2, 3, 4)]


def test_hours_that_do_not_divide_a_day_begin_anew_at_midnight() -> None:
    timers, midnight = Timers(RunClock("backtest")), datetime(2024, 3, 4, tzinfo=UTC)
    timers.every("7h", lambda: None)
    assert [when for when, _ in timers.due(midnight)] == [midnight]
    found = [when.hour for when, _ in timers.due(midnight + timedelta(days=2))]
    assert found == [7, 14, 21, 0, 7, 14, 21, 0]


def test_an_event_that_is_late_does_not_set_the_clock_back() -> None:
    clock, noon = RunClock("backtest"), datetime(2024, 3, 4, 12, tzinfo=UTC)
    for hours, reached in ((0, 0), (-1, 0), (2, 2), (1, 2)):
        clock.event = Candle("S:A", "1h", noon + timedelta(hours=hours - 1), 1.0, 1.0, 1.0, 1.0)
        assert clock.now == noon + timedelta(hours=reached)


async def test_timers_that_are_set_at_each_candle_end_the_run() -> None:
    class AtEach(Strategy):
        def on_candle(self, candle: Candle) -> None:
            self.every("1d", self.on_timer)

        def on_timer(self) -> None: ...

    with pytest.raises(HookFailed) as failed:
        async with AtEach().run_test() as pilot:
            await pilot.candles("S:X", closes=[10.0] * 200)
    assert str(failed.value.__cause__) == (
        "100 timers were set after the first event and not cancelled: set them in on_start, "
        "because one that is set at each candle fires again and again beside the others"
    )


class Patient(Strategy):
    """Replaces its one-off timer at each candle."""

    def on_start(self) -> None:
        self.fired: list[datetime] = []
        self.waits: Timer | None = None
        self.every("1m", self.never).cancel()

    def on_candle(self, candle: Candle) -> None:
        if self.waits is not None and candle.close > 10:
            self.waits.cancel()
        if self.waits is None or candle.close > 10:
            self.waits = self.every("3m", self.once)

    def once(self) -> None:
        assert self.waits is not None
        self.waits.cancel()
        self.fired.append(self.now)

    def never(self) -> None:
        raise AssertionError


async def test_a_cancelled_timer_fires_no_more() -> None:
    strategy = Patient()
    async with strategy.run_test() as pilot:
        await pilot.candles("S:X", closes=[10.0] * 10)
        begun = strategy.fired[0]
        assert len(strategy.fired) == 1
        await pilot.candles("S:X", closes=[11.0] + [10.0] * 10)
        assert len(strategy.fired) == 2
        await pilot.candles("S:X", closes=[11.0] * 400)
    assert strategy.fired[0] == begun
    assert len(strategy.fired) > 100


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_timer_that_another_sets_waits_for_its_own_time(kind: str) -> None:
    class Exits(Strategy):
        def on_start(self) -> None:
            self.seen: list[str] = []
            self.at("12:00", self.enter)

        def enter(self) -> None:
            self.seen.append(f"enter {self.now:%H:%M}")
            self.exits = self.every("10m", self.leave)

        def leave(self) -> None:
            self.seen.append(f"leave {self.now:%H:%M}")
            self.exits.cancel()

    class OneByOneExits(Exits):
        async def on_event(self, event: Any) -> None: ...

    strategy = Exits() if kind == "def" else OneByOneExits()
    async with strategy.run_test(start=datetime(2024, 3, 4, 11, 58, tzinfo=UTC)) as pilot:
        await pilot.candles("S:X", closes=[10.0] * 30)
    assert strategy.seen == ["enter 12:00", "leave 12:10"]


@pytest.mark.parametrize("kind", ["def", "async def"])
async def test_a_timer_that_a_hook_sets_counts_from_then_on(kind: str) -> None:
    class GoesHome(Strategy):
        def on_start(self) -> None:
            self.seen: list[tuple[str, datetime]] = []

        def on_candle(self, candle: Candle) -> None:
            if not self.seen:
                self.timer = self.at("15:55", self.go_home, tz="America/New_York")
            self.seen.append(("candle", self.now))

        def go_home(self) -> None:
            self.timer.cancel()
            self.seen.append(("home", self.now))

    class OneByOneGoesHome(GoesHome):
        async def on_event(self, event: Any) -> None: ...

    strategy = GoesHome() if kind == "def" else OneByOneGoesHome()
    monday = datetime(2024, 3, 4, tzinfo=UTC)
    async with strategy.run_test(timeframe="1d", start=monday) as pilot:
        await pilot.candles("S:X", closes=[10.0] * 3)
    assert strategy.seen == [
        ("candle", monday + timedelta(days=1)),
        ("home", monday + timedelta(days=1, hours=20, minutes=55)),
        ("candle", monday + timedelta(days=2)),
        ("candle", monday + timedelta(days=3)),
    ]


async def test_candles_come_in_runs_again_once_all_timers_are_cancelled() -> None:
    timers = Timers(RunClock("backtest"))
    noon = datetime(2024, 3, 4, 12, tzinfo=UTC)
    timer = timers.every("1h", Patient().never)
    assert timers.is_set
    timer.cancel()
    assert list(timers.due(noon)) == []
    assert not timers.is_set


def test_a_live_timer_cancels_itself_and_one_that_is_due_beside_it() -> None:
    class Cancels(Strategy):
        def on_start(self) -> None:
            self.fired: list[str] = []
            self.first, self.second = self.every("1m", self.one), self.every("1m", self.two)

        def one(self) -> None:
            self.fired.append("one")
            self.first.cancel()
            self.second.cancel()

        def two(self) -> None:
            self.fired.append("two")

    async def three_minutes(runner: Runner) -> None:
        await sleep(180)

    strategy = Cancels()
    live_run(strategy, three_minutes)
    assert strategy.fired == ["one"]


async def test_any_number_of_timers_may_be_set_at_the_start() -> None:
    class Many(Strategy):
        fired = 0

        def on_start(self) -> None:
            for _ in range(200):
                self.every("1m", self.count)

        def count(self) -> None:
            self.fired += 1

    strategy = Many()
    async with strategy.run_test() as pilot:
        await pilot.candles("S:X", closes=[10, 11])
    assert strategy.fired == 400


async def test_a_timer_shows_when_it_calls_what() -> None:
    strategy = Ticking()
    async with strategy.run_test():
        timer = strategy.at("15:55", strategy.midnight, tz="America/New_York")
        assert repr(timer) == "<Timer at 15:55 America/New_York: Ticking.midnight>"
        timer.cancel()
        assert repr(timer) == "<Timer at 15:55 America/New_York: Ticking.midnight, cancelled>"
        assert repr(strategy.every("7m", strategy.seven)) == "<Timer every 7m: Ticking.seven>"


async def test_a_timer_that_fails_tells_its_own_time() -> None:
    class Fails(Strategy):
        def on_start(self) -> None:
            self.at("14:31:30", self.look)

        def look(self) -> None:
            raise LookupError

    with pytest.raises(HookFailed) as failed:
        async with Fails().run_test() as pilot:
            await pilot.candles("S:A", closes=[10, 10])
    assert str(failed.value) == (
        "look failed at 2024-01-02T14:31:30Z, before candle S:A 2024-01-02T14:31:00Z"
    )
