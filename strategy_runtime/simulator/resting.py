"""The resting orders of one symbol, and which of them a price can reach.

Most resting orders are far from the market and must not slow down a bar. So an order that only its
price can affect *sleeps* on one of two heaps: orders that a falling market reaches (buy limits,
sell stops), and orders that a rising market reaches. A trailing stop is on both, because a new
extreme in its favour moves it. `reached` wakes the orders that a range reaches, and `wake_expired`
the DAY orders whose day is over. All others, such as those placed during a bar, are awake and
tested every time.
"""

from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from math import inf, nextafter
from operator import attrgetter

from strategy_runtime.clock import DAY_NS
from strategy_runtime.protocol.enums import OrderType, Side, TimeInForce
from strategy_runtime.simulator.orders import RestingOrder

__all__ = ["RestingOrders"]

Rung = tuple[float, int, RestingOrder]

# Members are found in a set by identity, while a tuple compares them, which is written in Python.
_PRICED = frozenset((OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT))
_SLEEPERS = _PRICED | {OrderType.TRAILING_STOP}
# Looking up an enum member takes five times as long as a module name.
_GTC, _DAY = TimeInForce.GTC, TimeInForce.DAY
_LIMIT, _TRAILING_STOP, _BUY = OrderType.LIMIT, OrderType.TRAILING_STOP, Side.BUY
_FEW = 64
"""So few stale rungs are not worth removing."""

_sequence = attrgetter("sequence")


class RestingOrders(dict[str, RestingOrder]):
    """Open orders by id.

    Attributes:
        reducing: Those that may only reduce a position, in the order of acceptance.
        expires_ns: The first instant at which a sleeping DAY order may have expired; infinite if
            none sleeps.
    """

    __slots__ = ("_awake", "_falling", "_in_order", "_rising", "_rungs", "expires_ns", "reducing")

    def __init__(self) -> None:
        super().__init__()
        self.reducing: dict[str, RestingOrder] = {}
        self.expires_ns: float = inf
        self._awake: dict[str, RestingOrder] = {}
        self._in_order = True
        self._falling: list[Rung] = []
        self._rising: list[Rung] = []
        self._rungs: dict[str, tuple[Rung, ...]] = {}

    @property
    def quiet_range(self) -> tuple[float, float] | None:
        """The prices between which no order is reached, or None while an order is awake."""
        if self._awake:
            return None
        falling, rising = self._falling, self._rising
        for heap in (falling, rising):
            while heap and not self._is_sleeping_on(heap[0]):
                heappop(heap)
        return -falling[0][0] if falling else -inf, rising[0][0] if rising else inf

    def add(self, order: RestingOrder) -> None:
        """Add an order that has just been accepted."""
        self._enter(order)
        self._awake[order.id] = order

    def add_asleep(self, order: RestingOrder, row: int) -> bool:
        """Put an order to sleep at once, if only its price can affect it from the next open on.

        Call it between two bars, for a new order or for a resting one that has been changed. Return
        False, with nothing done, if something else can affect the order.

        Args:
            row: Row of the next bar.
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
        if order.request.reduce_only:
            self.reducing[order.id] = order

    def remove(self, order: RestingOrder) -> None:
        """Remove an order that has ended."""
        del self[order.id]
        self.reducing.pop(order.id, None)
        if self._awake.pop(order.id, None) is None:
            del self._rungs[order.id]
            self._tidy()

    def wake(self, order: RestingOrder) -> None:
        """Wake an order that has been changed."""
        if self._rungs.pop(order.id, None) is not None:
            self._awake[order.id] = order
            self._in_order = False
            self._tidy()

    def wake_all(self) -> None:
        """Wake all orders."""
        for order in self.values():
            self.wake(order)

    def wake_expired(self) -> None:
        """Wake the sleeping DAY orders, because `expires_ns` has come."""
        self.expires_ns = inf
        for order in self.values():
            if order.request.time_in_force is _DAY:
                self.wake(order)

    def reached(self, low: float, high: float) -> list[RestingOrder]:
        """Return the orders to test against a range of prices, in the order of acceptance."""
        falling, rising = self._falling, self._rising
        if (falling and -falling[0][0] >= low) or (rising and rising[0][0] <= high):
            for order in (*self._pop(falling, -low), *self._pop(rising, high)):
                self._awake[order.id] = order
                self._in_order = False
        found = list(self._awake.values())
        if not self._in_order:
            found.sort(key=_sequence)
        return found

    def put_to_sleep(self, now_ns: int) -> None:
        """Put to sleep the orders that from now on depend only on their price."""
        awake: dict[str, RestingOrder] = {}
        for order in self._awake.values():
            lifetime, day = order.request.time_in_force, order.day
            if (
                order.order_type in _SLEEPERS
                and (lifetime is _GTC or (lifetime is _DAY and day is not None))
                and order.open_from <= now_ns
                and not (order.is_fresh or order.waits_for_open or order.delay)
                and (order.order_type is not _TRAILING_STOP or order.peak is not None)
            ):
                self._push(order)
                if lifetime is _DAY and day is not None:
                    self.expires_ns = min(self.expires_ns, (day + 1) * DAY_NS)
            else:
                awake[order.id] = order
        # A new dict, because one that has been large stays slow to iterate over.
        self._awake = awake
        self._in_order = len(awake) < 2
        self._tidy()

    def _push(self, order: RestingOrder) -> None:
        is_buy, kind = order.side is _BUY, order.order_type
        level = order.limit if kind is _LIMIT else order.stop
        # Levels that a falling market reaches are negated, so that the highest comes first.
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
        """Remove stale rungs once they outnumber the live ones."""
        if len(self._falling) + len(self._rising) > 2 * len(self._rungs) + _FEW:
            for heap in (self._falling, self._rising):
                heap[:] = [rung for rung in heap if self._is_sleeping_on(rung)]
                heapify(heap)
