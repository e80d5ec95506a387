"""What happens to orders while no process runs: the next one tells it, once, and nothing else."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from strategy_runtime import Candle, OrderEvent, PositionEvent, Strategy, Trade
from strategy_runtime.clock import sleep
from strategy_runtime.ids import generator
from strategy_runtime.protocol.enums import OrderType, Side
from strategy_runtime.protocol.models import OrderChanges, OrderRequest
from strategy_runtime.protocol.server_codec import encode_json
from strategy_runtime.proxy.transport import Answer
from strategy_runtime.runtime.runner import Runner
from strategy_runtime.runtime.store import Journal
from strategy_runtime.simulator.exchange import Exchange
from strategy_runtime.simulator.options import ExchangeOptions
from tests.chaos import virtual_time
from tests.chaos.busy import steps
from tests.chaos.plan import Plan
from tests.chaos.virtual_time import VirtualLoop, VirtualTime
from tests.chaos.world import MemoryNetwork, MemoryProxy, live_venue_on

Order = Callable[[Strategy], Any]


class Bot(Strategy):
    """Gives its orders at the first candle, and writes down what it hears.

    Attributes:
        heard: In order; what it had when it began comes first.
    """

    def __init__(self, *orders: Order) -> None:
        super().__init__()
        self.heard: list[str] = []
        self._orders = list(orders)

    def on_start(self) -> None:
        resting = sorted(f"{order.limit_price}" for order in self.orders())
        self.heard.append(f"start {' '.join(resting)} {float(self.position('S:A').quantity):g}")

    def on_candle(self, candle: Candle) -> None:
        while self._orders:
            self._orders.pop(0)(self)

    def on_order(self, event: OrderEvent) -> None:
        order, kind = event.order, event.event.value.removeprefix("ORDER_")
        price = order.limit_price or order.stop_price or 0
        whose = " of others" if order.external else ""
        self.heard.append(f"{kind} {float(price):g} {float(order.filled_quantity):g}{whose}")

    def on_trade(self, trade: Trade) -> None:
        self.heard.append(f"trade {float(trade.price):g} {float(trade.quantity):g}")

    def on_anomaly(self, message: str) -> None:
        self.heard.append(message)


class Waits(Bot):
    """Comes to no end with the first order event it hears."""

    async def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
        super().on_order(event)
        await sleep(3600)


def buys(*limits: float, size: int = 1, **options: Any) -> Order:
    def give(strategy: Strategy) -> None:
        for limit in limits:
            strategy.buy("S:A", size, limit=limit, **options)

    return give


def falling(start: float = 100.0, *, by: float = 1.0) -> list[float]:
    """Ten seconds at one price, and then a fall that stops twenty steps below."""
    return [start] * 10 + [start - by * n for n in range(1, 21)] + [start - by * 20] * 60


class Place:
    """An account, and the folder of a strategy that trades there in one process after another."""

    def __init__(
        self,
        folder: Path,
        loop: VirtualLoop,
        time: VirtualTime,
        exchange: Exchange,
        network: type[MemoryNetwork],
    ) -> None:
        self.folder = folder
        self.exchange = exchange
        self._loop = loop
        self._time = time
        self._rng = generator(1)
        self._kind = network
        self._runs = 0
        self._begin()

    def _begin(self) -> None:
        proxy = MemoryProxy(self.exchange, speed=60.0, knows_ids=True)
        self.network = self._kind(proxy, Plan([]), self._loop, self._time, self._rng)
        self._conducting = self._loop.create_task(proxy.stream.conduct())

    def restart(self, exchange: Exchange) -> None:
        """The proxy begins anew, and knows nothing."""
        self._conducting.cancel()
        self.exchange = exchange
        self._begin()

    async def live(self, strategy: Bot, seconds: float, *, stops: bool = False) -> list[str]:
        """Run a process for so long, then kill or stop it; gives back what it has heard."""
        self._runs += 1
        venue, journal = live_venue_on(self.network, self._rng), Journal(self.folder)
        run_id = f"r{self._runs}"
        runner = Runner(strategy, venue, mode="live", run_id=run_id, rng=self._rng, journal=journal)
        running = self._loop.create_task(runner.run())
        await sleep(seconds)
        if running.done():
            running.result()
        if stops:
            runner.stop()
            await running
        heard = list(strategy.heard)
        self.network.cut()
        journal.close()  # what a process does on its way out, a killed one does not
        await venue.die()
        running.cancel()
        return heard

    def close(self) -> None:
        self._conducting.cancel()


def market(prices: list[float] | None = None, *, volume: float = 1e6, **options: Any) -> Exchange:
    return Exchange([steps("S:A", prices or falling(), volume)], ExchangeOptions(**options))


def play(
    folder: Path,
    story: Callable[[Place], Awaitable[None]],
    exchange: Exchange | None = None,
    network: type[MemoryNetwork] = MemoryNetwork,
) -> None:
    """Have something happen in virtual time."""
    loop = VirtualLoop()
    time = VirtualTime(loop)

    async def work() -> None:
        place = Place(folder, loop, time, exchange or market(), network)
        await story(place)
        place.close()

    virtual_time.run(work(), loop, time)


def test_fills_while_it_was_dead_are_told_to_the_next_process_once(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        first = await place.live(Bot(buys(97, 95, 50)), 4)
        assert first == ["start  0", "CREATED 97 0", "CREATED 95 0", "CREATED 50 0"]
        await sleep(20)
        second = await place.live(Bot(), 5)
        assert second == [
            "start 50 2",
            "FILLED 97 1",
            "FILLED 95 1",
            "trade 97 1",
            "trade 95 1",
        ]
        assert await place.live(Bot(), 5) == ["start 50 2"]

    play(tmp_path, story)


def test_what_was_told_of_a_partial_fill_is_not_told_again(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        first = await place.live(Bot(buys(100, size=14)), 4.5)
        assert first[-2:] == ["PARTIALLY_FILLED 100 8", "trade 100 2"]
        await sleep(4)
        second = await place.live(Bot(), 5)
        assert second == [
            "start  14",
            "FILLED 100 14",
            "trade 100 2",
            "trade 100 2",
            "trade 100 2",
        ]

    exchange = market([100.0] * 60, volume=20, max_volume_share=Decimal("0.1"))
    play(tmp_path, story, exchange)


def test_one_that_others_have_cancelled_is_told_as_cancelled(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(60, 50)), 4)
        place.exchange.cancel(place.exchange.orders(limit=10)[0].id)
        assert await place.live(Bot(), 5) == ["start 60 0", "CANCELLED 50 0"]

    play(tmp_path, story)


def test_nothing_is_told_of_an_order_that_was_refused(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        assert await place.live(Bot(buys(97, size=10**9)), 4) == ["start  0"]
        assert Journal(tmp_path).unsettled == {}
        assert await place.live(Bot(), 5) == ["start  0"]

    play(tmp_path, story)


class Hedger(Bot):
    """Another strategy at the same account."""


def test_nothing_is_told_of_what_others_have_done(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97, 50)), 4)
        place.folder = tmp_path / "other"
        place.folder.mkdir()
        await place.live(Hedger(buys(96, 94, 60), buys(101, stop_loss=40, take_profit=140)), 3)
        await sleep(20)
        place.folder = tmp_path
        assert await place.live(Bot(), 5) == ["start 50 4", "FILLED 97 1", "trade 97 1"]
        place.folder = tmp_path / "other"
        heard = await place.live(Hedger(), 5)
        assert heard[1:] == ["FILLED 96 1", "FILLED 94 1", "trade 96 1", "trade 94 1"]

    play(tmp_path, story)


def test_an_order_under_an_id_of_its_own_stays_ours(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        bot = Bot(buys(97, client_order_id="rung 1"), buys(95, client_order_id="rung 2"))
        await place.live(bot, 4)
        await sleep(9.5)
        heard = await place.live(Bot(), 8)
        assert heard == ["start 95 1", "FILLED 97 1", "trade 97 1", "FILLED 95 1", "trade 95 1"]

    play(tmp_path, story)


def test_legs_that_fill_while_it_is_dead_are_told(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        first = await place.live(Bot(buys(101, stop_loss=95, take_profit=120)), 4)
        assert "FILLED 101 1" in first
        await sleep(20)
        second = await place.live(Bot(), 5)
        assert sorted(second[1:]) == ["CANCELLED 120 0", "FILLED 95 1", "trade 95 1"]
        assert await place.live(Bot(), 5) == ["start  0"]

    play(tmp_path, story)


def test_so_are_an_entry_and_the_leg_that_it_brought(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97, stop_loss=92, take_profit=120)), 4)
        await sleep(20)
        assert await place.live(Bot(), 5) == [
            "start  0",
            "FILLED 97 1",
            "FILLED 92 1",
            "trade 97 1",
            "trade 92 1",
        ]

    play(tmp_path, story)


def test_legs_that_an_entry_brought_and_that_rest_are_told(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97, stop_loss=50, take_profit=120)), 4)
        await sleep(20)
        heard = await place.live(Bot(), 5)
        assert heard[:2] == ["start 120 None 1", "FILLED 97 1"]
        assert sorted(heard[2:]) == ["CREATED 120 0", "CREATED 50 0", "trade 97 1"]
        assert await place.live(Bot(), 5) == heard[:1]

    play(tmp_path, story)


def test_legs_that_rest_are_told_again_if_it_is_killed_before_them(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97, stop_loss=50, take_profit=120)), 4)
        await sleep(20)
        assert await place.live(Waits(), 5) == ["start 120 None 1", "FILLED 97 1"]
        heard = await place.live(Bot(), 5)
        assert sorted(heard[2:]) == ["CREATED 120 0", "CREATED 50 0", "trade 97 1"]

    play(tmp_path, story)


class ForgetsEnded(MemoryNetwork):
    """At a venue that lists executions, and knows no orders but those that are open."""

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        answer = await super().request(method, url, body)
        if method == "GET" and "/orders/" in url and b'"FILLED"' in answer.body:
            return Answer(404, b'{"code":"ORDER_NOT_FOUND","message":"no such order"}')
        return answer


def test_a_leg_that_the_venue_has_forgotten_does_not_end_the_start(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97, stop_loss=92, take_profit=120)), 4)
        await sleep(20)
        assert await place.live(Bot(), 5) == ["start  0", "FILLED 97 1", "trade 97 1"]

    play(tmp_path, story, network=ForgetsEnded)


class ForgetsForAWhile(MemoryNetwork):
    """At a venue that has forgotten all orders, and finds them again at some time."""

    found_again_at = 0.0

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        if method == "GET" and "/orders" in url and self.loop.time() < self.found_again_at:
            if "/orders/" in url:
                return Answer(404, b'{"code":"ORDER_NOT_FOUND","message":"no such order"}')
            return Answer(200, b"[]")
        return await super().request(method, url, body)


def test_an_order_that_the_venue_knows_again_after_a_while_is_not_taken_for_gone(
    tmp_path: Path,
) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(50)), 4)
        network = cast(ForgetsForAWhile, place.network)
        network.found_again_at = network.loop.time() + 5
        assert await place.live(Bot(), 15) == ["start 50 0"]

    play(tmp_path, story, network=ForgetsForAWhile)


class Replacing(MemoryNetwork):
    """At a venue that changes an order by placing another, which carries no id of ours."""

    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        exchange = self._proxy.exchange
        if method != "PATCH":
            return await super().request(method, url, body)
        await sleep(0.001)
        changes = msgspec.json.decode(body or b"", type=OrderChanges)
        old = exchange.cancel(url.rpartition("/")[2])
        handle = exchange.submit(limit_order(changes.limit_price or Decimal(0)))
        order = next(each for each in exchange.orders(limit=10) if each.id == handle.id)
        return Answer(200, encode_json({"order": order, "previous_order_id": old.id}))


def limit_order(price: Decimal) -> OrderRequest:
    return OrderRequest(
        symbol="S:A",
        side=Side.BUY,
        quantity=Decimal(1),
        order_type=OrderType.LIMIT,
        limit_price=price,
    )


class Moves(Bot):
    """Moves its order at its second candle."""

    def on_candle(self, candle: Candle) -> None:
        for order in self.orders():
            if order.limit_price == 60:
                self.modify(order, limit=97)
        super().on_candle(candle)


def test_an_order_in_the_place_of_another_is_followed_under_its_name(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Moves(buys(60)), 5)
        await sleep(20)
        assert await place.live(Moves(), 5) == ["start  1", "FILLED 97 1", "trade 97 1"]
        assert await place.live(Moves(), 5) == ["start  1"]

    play(tmp_path, story, network=Replacing)


def test_a_proxy_that_began_anew_tells_nothing_under_ids_that_were_ours(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97, 95)), 4)
        place.restart(market([100.0] * 300))
        for price in (110, 105, 60):  # under the same ids as ours
            place.exchange.submit(
                replace(limit_order(Decimal(price)), client_order_id=f"other-{price}")
            )
        names = [f"Bot-r1-{number}" for number in (1, 2)]
        heard = await place.live(Bot(), 15)
        assert heard[0].startswith("start  ")
        assert heard[1:3] == ["CANCELLED 97 0", "CANCELLED 95 0"]
        assert [text for text in heard if "treated as cancelled" in text] == [
            f"S:A {name} was open and is no longer known to the venue; it is treated as cancelled"
            for name in names
        ]
        assert not any("FILLED" in text and "others" not in text for text in heard)
        again = await place.live(Bot(), 15)
        assert len(again) == 1

    play(tmp_path, story)


def test_what_was_being_told_when_it_was_killed_again_is_told_again(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97, 95)), 4)
        await sleep(20)
        news = ["FILLED 97 1", "FILLED 95 1", "trade 97 1", "trade 95 1"]
        assert await place.live(Waits(), 5) == ["start  2", news[0]]
        assert await place.live(Bot(), 5) == ["start  2", *news]
        assert await place.live(Bot(), 5) == ["start  2"]

    play(tmp_path, story)


class Fails(Bot):
    def on_order(self, event: OrderEvent) -> None:
        super().on_order(event)
        raise ValueError

    def on_error(self, error: Exception) -> None:
        pass


class FailsLater(Fails):
    async def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
        await sleep(0.01)
        super().on_order(event)


class TakesItsTime(Bot):
    async def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
        await sleep(0.01)
        super().on_order(event)


@pytest.mark.parametrize("kind", [Fails, FailsLater, TakesItsTime])
def test_what_a_hook_was_told_is_not_told_again_whether_or_not_it_failed(
    tmp_path: Path, kind: type[Bot]
) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97, 50)), 4)
        await sleep(20)
        assert await place.live(kind(), 5) == ["start 50 1", "FILLED 97 1", "trade 97 1"]
        assert await place.live(Bot(), 5) == ["start 50 1"]

    play(tmp_path, story)


def test_where_only_the_order_was_told_the_execution_is(tmp_path: Path) -> None:
    class Fails(Bot):
        async def on_trade(self, trade: Trade) -> None:  # type: ignore[override]
            await sleep(3600)

    async def story(place: Place) -> None:
        first = await place.live(Fails(buys(101)), 5)
        assert first == ["start  0", "CREATED 101 0", "FILLED 101 1"]
        assert await place.live(Bot(), 5) == ["start  1", "trade 100 1"]
        assert await place.live(Bot(), 5) == ["start  1"]

    play(tmp_path, story)


class StopsAtTrades(Bot):
    """Comes to no end with the first execution it hears of."""

    async def on_trade(self, trade: Trade) -> None:  # type: ignore[override]
        super().on_trade(trade)
        await sleep(3600)


def test_executions_of_an_open_order_are_told_again_until_they_are_handled(
    tmp_path: Path,
) -> None:
    async def story(place: Place) -> None:
        first = await place.live(StopsAtTrades(buys(100, size=14)), 8)
        assert first[-2:] == ["PARTIALLY_FILLED 100 2", "trade 100 2"]
        second = await place.live(StopsAtTrades(), 5)
        assert second == ["start 100 8", "PARTIALLY_FILLED 100 8", "trade 100 2"]
        assert await place.live(StopsAtTrades(), 5) == ["start 100 8", "trade 100 2"]
        assert await place.live(Bot(), 5) == ["start 100 8", *["trade 100 2"] * 4]
        assert await place.live(Bot(), 5) == ["start 100 8"]

    exchange = market([100.0] * 5 + [110.0] * 60, volume=20, max_volume_share=Decimal("0.1"))
    play(tmp_path, story, exchange)


class ListsNoTrades(MemoryNetwork):
    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        if "/trades" in url:
            return Answer(404, b'{"code":"HTTP_404","message":"no such path"}')
        return await super().request(method, url, body)


def test_a_venue_that_lists_no_executions_has_the_order_tell_of_them(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Bot(buys(97)), 4)
        await sleep(20)
        assert await place.live(Bot(), 5) == [
            "start  1",
            "FILLED 97 1",
            "S:A Bot-r1-1 has filled 1, of which the venue lists executions of 0: on_order tells "
            "of all of it, on_trade does not",
        ]
        assert await place.live(Bot(), 5) == ["start  1"]

    play(tmp_path, story, network=ListsNoTrades)


class LosesAnswers(MemoryNetwork):
    async def request(self, method: str, url: str, body: bytes | None = None) -> Answer:
        answer = await super().request(method, url, body)
        if method == "POST":
            await sleep(3600)
        return answer


class Deaf(Bot):
    """Is killed before it hears of its order."""

    async def on_candle(self, candle: Candle) -> None:  # type: ignore[override]
        super().on_candle(candle)
        await sleep(3600)


def test_one_whose_answer_never_came_is_told_with_what_it_became(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Deaf(buys(97)), 4)
        await sleep(20)
        assert await place.live(Bot(), 5) == [
            "start  1",
            "FILLED 97 1",
            "trade 97 1",
            "an earlier run ended while it gave S:A Deaf-r1-1, which arrived and is FILLED",
        ]
        assert await place.live(Bot(), 5) == ["start  1"]

    play(tmp_path, story, network=LosesAnswers)


class TellsNothing(MemoryNetwork):
    """Answers arrive, but of the events only candles."""

    def frame_sent(self, wire: Any, frame: bytes) -> None:
        if b'"candle"' in frame or b'"connection"' in frame:
            super().frame_sent(wire, frame)


def test_one_of_which_only_the_answer_came_is_told_with_what_it_became(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        assert await place.live(Bot(buys(97)), 3) == ["start  0"]
        await sleep(20)
        assert await place.live(Bot(), 3) == ["start  1", "FILLED 97 1", "trade 97 1"]

    play(tmp_path, story, network=TellsNothing)


def test_so_are_the_legs_of_one_whose_answer_never_came(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        await place.live(Deaf(buys(97, stop_loss=92, take_profit=120)), 4)
        await sleep(20)
        heard = await place.live(Bot(), 5)
        assert heard[1:5] == ["FILLED 97 1", "FILLED 92 1", "trade 97 1", "trade 92 1"]
        assert await place.live(Bot(), 5) == ["start  0"]

    play(tmp_path, story, network=LosesAnswers)


def test_open_orders_that_the_journal_does_not_know_are_followed_from_now_on(
    tmp_path: Path,
) -> None:
    async def story(place: Place) -> None:
        first = await place.live(Bot(buys(100, 50, size=10)), 3.5)
        assert first[-2:] == ["PARTIALLY_FILLED 100 6", "trade 100 2"]
        (tmp_path / "intents.jsonl").unlink()
        second = await place.live(Bot(), 1)
        assert second == ["start 100 50 6", "PARTIALLY_FILLED 100 8", "trade 100 2"]
        await sleep(4)
        third = await place.live(Bot(), 5)
        assert third == ["start 50 10", "FILLED 100 10", "trade 100 2"]

    exchange = market([100.0] * 60, volume=20, max_volume_share=Decimal("0.1"))
    play(tmp_path, story, exchange)


def test_what_a_run_has_cancelled_on_its_way_out_is_no_news(tmp_path: Path) -> None:
    class Leaves(Bot):
        def on_stop(self) -> None:
            self.cancel_all()

    async def story(place: Place) -> None:
        await place.live(Leaves(buys(97, 60)), 4, stops=True)
        assert place.exchange.orders(limit=10) == []
        assert await place.live(Bot(), 5) == ["start  0"]

    play(tmp_path, story)


def test_legs_of_an_entry_whose_fill_was_told_are_told_if_nobody_has(tmp_path: Path) -> None:
    class Dies(Bot):
        """Is killed when it has heard that its entry has filled."""

        async def on_position(self, event: PositionEvent) -> None:
            await sleep(3600)

    async def story(place: Place) -> None:
        first = await place.live(Dies(buys(101, stop_loss=95, take_profit=120)), 4)
        assert first[1:] == ["CREATED 101 0", "FILLED 101 1", "trade 100 1"]
        await sleep(20)
        assert await place.live(Bot(), 5) == ["start  0", "FILLED 95 1", "trade 95 1"]
        assert await place.live(Bot(), 5) == ["start  0"]

    async def while_they_rest(place: Place) -> None:
        await place.live(Dies(buys(101, stop_loss=50, take_profit=120)), 4)
        heard = await place.live(Bot(), 2)
        assert heard[0] == "start 120 None 1"
        assert sorted(heard[1:]) == ["CREATED 120 0", "CREATED 50 0"]
        assert await place.live(Bot(), 5) == heard[:1]

    play(tmp_path, story)
    (tmp_path / "resting").mkdir()
    play(tmp_path / "resting", while_they_rest)


class Unreachable(MemoryNetwork):
    def be_away(self, seconds: float) -> None:
        """Nobody listens for a while."""
        self._back_at = self.loop.time() + seconds
        self.cut()


def test_a_leg_whose_execution_was_told_after_a_gap_is_told_without_it(tmp_path: Path) -> None:
    async def story(place: Place) -> None:
        network = cast(Unreachable, place.network)
        network.loop.call_later(4, network.be_away, 20)
        first = await place.live(Bot(buys(97, stop_loss=95, take_profit=120)), 32)
        assert first[2:] == ["FILLED 97 1", "trade 97 1", "trade 95 1"]
        assert await place.live(Bot(), 5) == ["start  0", "FILLED 95 1"]
        assert await place.live(Bot(), 5) == ["start  0"]

    play(tmp_path, story, network=Unreachable)
