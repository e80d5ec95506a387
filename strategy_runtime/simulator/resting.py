"""The orders that rest in one symbol, and which of them a price can matter to.

Most resting orders are far from the market, and a bar must not cost more for it. So an order that
nothing but its price can move *sleeps* on one of two heaps: those that a falling market reaches
(buy limits, sell stops) and those that a rising one does. A trailing stop is on both: a market that
goes the other way, further than ever, moves it. `reached` wakes whom a range comes to. All others,
such as orders of a day, and those that came amid a bar, are awake and looked at every time.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from math import inf, nextafter
from operator import attrgetter

from strategy_runtime.protocol.enums import OrderType, Side, TimeInForce
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["RestingOrders"]

Rung = tuple[float, int, RestingOrder]

_PRICED = (OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)
_SLEEPERS = (*_PRICED, OrderType.TRAILING_STOP)
# A member of an Enum costs five times a name of the module.
_GTC, _LIMIT, _TRAILING_STOP = TimeInForce.GTC, OrderType.LIMIT, OrderType.TRAILING_STOP
_BUY = Side.BUY
_FEW = 64
"""Rungs of orders that have left: so few are not worth throwing out."""

_sequence = attrgetter("sequence")


class RestingOrders(dict[str, RestingOrder]):
    """Open orders by id.

    Attributes:
        reducing: Those that may only reduce a position, in the order of their acceptance.
    """

    __slots__ = ("_awake", "_falling", "_in_order", "_rising", "_rungs", "reducing")

    def __init__(self) -> None:
        super().__init__()
        self.reducing: dict[str, RestingOrder] = {}
        self._awake: dict[str, RestingOrder] = {}
        self._in_order = True
        self._falling: list[Rung] = []
        self._rising: list[Rung] = []
        self._rungs: dict[str, tuple[Rung, ...]] = {}

    @property
    def calm(self) -> tuple[float, float] | None:
        """The prices between which the market reaches nobody, or None while somebody is awake."""
        if self._awake:
            return None
        falling, rising = self._falling, self._rising
        for heap in (falling, rising):
            while heap and not self._is_sleeping_on(heap[0]):
                heappop(heap)
        return -falling[0][0] if falling else -inf, rising[0][0] if rising else inf

    def add(self, order: RestingOrder) -> None:
        """Let an order rest that has just been accepted."""
        self._enter(order)
        self._awake[order.id] = order

    def add_asleep(self, order: RestingOrder, row: int) -> bool:
        """Let an order sleep at once, if nothing but its price can move it from the next open on.

        To be called between two bars, for a new order or for one that rests and has been changed.
        False where something else can move the order; then nothing was done.

        Args:
            row: Of the bar that comes next.
        """
        if (
            order.order_type not in _PRICED
            or order.request.time_in_force is not _GTC
            or order.waits_for_open
        ):
            return False
        order.slept_before = row
        self._enter(order)
        self._awake.pop(order.id, None)
        self._push(order)
        return True

    def _enter(self, order: RestingOrder) -> None:
        self[order.id] = order
        if order.is_leg or order.request.reduce_only:
            self.reducing[order.id] = order

    def remove(self, order: RestingOrder) -> None:
        """Forget an order that has come to an end."""
        del self[order.id]
        self.reducing.pop(order.id, None)
        if self._awake.pop(order.id, None) is None:
            del self._rungs[order.id]
            self._tidy()

    def wake(self, order: RestingOrder) -> None:
        """Look at an order again that has been changed."""
        if self._rungs.pop(order.id, None) is not None:
            self._awake[order.id] = order
            self._in_order = False
            self._tidy()

    def wake_all(self) -> None:
        """Look at all of them again."""
        for order in self.values():
            self.wake(order)

    def reached(self, low: float, high: float) -> list[RestingOrder]:
        """The orders to look at when the market is between two prices, as they were accepted."""
        falling, rising = self._falling, self._rising
        if (falling and -falling[0][0] >= low) or (rising and rising[0][0] <= high):
            for order in (*self._pop(falling, -low), *self._pop(rising, high)):
                self._awake[order.id] = order
                self._in_order = False
        found = list(self._awake.values())
        if not self._in_order:
            found.sort(key=_sequence)
        return found

    def let_sleep(self, now_ns: int) -> None:
        """Put to sleep what from now on depends on its price alone."""
        awake: dict[str, RestingOrder] = {}
        for order in self._awake.values():
            if (
                order.order_type in _SLEEPERS
                and order.request.time_in_force is _GTC
                and order.open_from <= now_ns
                and not (order.is_fresh or order.waits_for_open or order.delay)
                and (order.order_type is not _TRAILING_STOP or order.peak is not None)
            ):
                self._push(order)
            else:
                awake[order.id] = order
        # A new one, since a dict that has been large takes as long to walk through as it did then.
        self._awake = awake
        self._in_order = len(awake) < 2
        self._tidy()

    def _push(self, order: RestingOrder) -> None:
        is_buy, kind = order.side is _BUY, order.order_type
        level = order.limit if kind is _LIMIT else order.stop
        # What a falling market reaches is upside down, so that the highest comes first.
        falls = is_buy is (kind is _LIMIT)
        rung = (-level if falls else level, order.sequence, order)
        heappush(self._falling if falls else self._rising, rung)
        self._rungs[order.id] = (rung,)
        if kind is _TRAILING_STOP and order.peak is not None:
            further = nextafter(order.peak, -inf if is_buy else inf)
            moving = (-further if is_buy else further, order.sequence, order)
            heappush(self._falling if is_buy else self._rising, moving)
            self._rungs[order.id] = (rung, moving)

    def _pop(self, heap: list[Rung], level: float) -> Iterator[RestingOrder]:
        while heap and heap[0][0] <= level:
            rung = heappop(heap)
            if self._is_sleeping_on(rung):
                order = rung[2]
                del self._rungs[order.id]
                yield order

    def _is_sleeping_on(self, rung: Rung) -> bool:
        rungs = self._rungs.get(rung[2].id)
        return rungs is not None and (rungs[0] is rung or rungs[-1] is rung)

    def _tidy(self) -> None:
        """Throw out the rungs of orders that have left, once they are the larger part."""
        if len(self._falling) + len(self._rising) > 2 * len(self._rungs) + _FEW:
            for heap in (self._falling, self._rising):
                heap[:] = [rung for rung in heap if self._is_sleeping_on(rung)]
                heapify(heap)
