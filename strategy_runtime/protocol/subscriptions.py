"""`SUBSCRIPTIONS`: which events of which symbols are wanted.

`S:AAPL:candle,C:BTCUSD:quote` in the environment, or the JSON list of the later gateway. The last
colon of an entry separates symbol and event; the prefix stays part of the symbol.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from strategy_runtime.errors import SubscriptionError, TimeframeError
from strategy_runtime.protocol.models import LONGEST_SYMBOL
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.suggestions import did_you_mean

__all__ = ["EVERYTHING", "Subscription", "Subscriptions", "parse_subscriptions"]

_EVENTS = {
    **dict.fromkeys(("candle", "bar", "bars"), "candle"),
    **dict.fromkeys(("quote", "quotes"), "quote"),
    **dict.fromkeys(("order_update", "order", "orders"), "order_update"),
    **dict.fromkeys(("position_update", "position", "positions"), "position_update"),
    **dict.fromkeys(("trade_update", "trade", "trades"), "trade_update"),
    **dict.fromkeys(("account_update", "account"), "account_update"),
    "option_greeks": "option_greeks",
    "*": "*",
}


class Subscription(Struct, frozen=True):
    """One entry.

    Attributes:
        symbol: As written, `*` for every instrument.
        event: Canonical name: `candle`, `quote`, …, `*` for everything.
        timeframe: `5m` for `candle_5m`, `*` for `candle_*`, None for plain `candle`.
    """

    symbol: str
    event: str
    timeframe: str | None = None

    @property
    def name(self) -> str:
        """The event as written: `candle_5m`."""
        return self.event if self.timeframe is None else f"{self.event}_{self.timeframe}"

    def takes_candle(self, symbol: str, timeframe: str) -> bool:
        """Whether it covers closed bars of a symbol and timeframe."""
        return self.symbol in ("*", symbol) and (
            self.event == "*"
            or (self.event == "candle" and self.timeframe in (None, "*", timeframe))
        )

    def takes_quote(self, symbol: str) -> bool:
        """Whether it covers quotes of a symbol."""
        return self.symbol in ("*", symbol) and self.event in ("*", "quote")

    def __str__(self) -> str:
        return f"{self.symbol}:{self.name}"


class Subscriptions:
    """All entries in the order given, without duplicates."""

    __slots__ = ("_by_symbol", "_entries")

    def __init__(self, entries: tuple[Subscription, ...] = ()) -> None:
        self._entries = tuple(dict.fromkeys(entries))
        self._by_symbol: dict[str, list[Subscription]] = {}
        for entry in self._entries:
            self._by_symbol.setdefault(entry.symbol, []).append(entry)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subscriptions) and self._entries == other._entries

    def __hash__(self) -> int:
        return hash(self._entries)

    def __repr__(self) -> str:
        return f"Subscriptions({self})"

    def __str__(self) -> str:
        return ",".join(map(str, self._entries))

    def of(self, symbol: str) -> list[Subscription]:
        """Return the entries of a symbol, and those of all symbols."""
        return [*self._by_symbol.get(symbol, ()), *self._by_symbol.get("*", ())]

    def wants_candle(self, symbol: str, timeframe: str) -> bool:
        """Whether a closed bar is wanted; without entries, all are."""
        return not self._entries or any(
            entry.takes_candle(symbol, timeframe) for entry in self.of(symbol)
        )

    def wants_quote(self, symbol: str) -> bool:
        """Whether quotes of a symbol are wanted; without entries, all are."""
        return not self._entries or any(entry.takes_quote(symbol) for entry in self.of(symbol))

    def timeframe_of(self, symbol: object, *, otherwise: str) -> str:
        """Return the timeframe of a candle without one: the one subscribed, else `otherwise`."""
        asked = {
            entry.timeframe
            for entry in self._entries
            if entry.event in ("candle", "*") and entry.symbol in ("*", symbol)
        }
        (only,) = asked if len(asked) == 1 else (None,)
        return otherwise if only in (None, "*") else only


EVERYTHING = Subscriptions()
"""No entries: all events are wanted."""


class _GatewayEntry(Struct):
    instrument: str
    events: list[str]


def parse_subscriptions(text: str, origin: str = "SUBSCRIPTIONS") -> Subscriptions:
    """Parse a list of subscriptions; an empty text has no entries.

    Args:
        origin: Where the list is from, for the text of an error.

    Raises:
        SubscriptionError: Names the entry and its position in the list.
    """
    try:
        listed = _listed_as_json(text) if text.lstrip().startswith("[") else _listed(text)
        return Subscriptions(tuple(listed))
    except SubscriptionError as error:
        raise SubscriptionError(f"{origin} {error}") from None


def _listed(text: str) -> Iterator[Subscription]:
    for position, raw in enumerate(text.split(","), start=1):
        entry = raw.strip()
        if not entry:
            continue
        symbol, colon, event = entry.rpartition(":")
        if not colon:
            raise _trouble(position, entry, f"has no event; write {entry}:candle or {entry}:quote")
        yield _entry(position, entry, symbol.strip(), event.strip())


def _listed_as_json(text: str) -> Iterator[Subscription]:
    try:
        items = msgspec.json.decode(text, type=list[_GatewayEntry])
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise SubscriptionError(
            f'looks like JSON but is not a list of {{"instrument": …, "events": […]}}: {error}'
        ) from None
    for position, item in enumerate(items, start=1):
        for event in item.events:
            entry = f"{item.instrument}:{event}"
            yield _entry(position, entry, item.instrument.strip(), event.strip())


def _entry(position: int, entry: str, symbol: str, event: str) -> Subscription:
    if not symbol or not event:
        missing = "symbol before" if not symbol else "event after"
        raise _trouble(position, entry, f"has no {missing} the last colon; write S:AAPL:candle")
    if "," in symbol:
        raise _trouble(position, entry, "has a comma in its symbol")
    if len(symbol) > LONGEST_SYMBOL:
        raise _trouble(position, entry, f"has a symbol of more than {LONGEST_SYMBOL} characters")
    name = event.lower()
    canonical = _EVENTS.get(name)
    if canonical is not None:
        return Subscription(symbol, canonical)
    for prefix in ("candle_", "candles."):
        if name.startswith(prefix):
            timeframe = event[len(prefix) :]
            if timeframe == "*":
                return Subscription(symbol, "candle", timeframe)
            if not timeframe.endswith("M"):  # the only case-sensitive unit: months, not minutes
                timeframe = timeframe.lower()
            try:
                parse_timeframe(timeframe)
            except TimeframeError as error:
                raise _trouble(position, entry, f"has no known timeframe: {error}") from None
            return Subscription(symbol, "candle", timeframe)
    guess = did_you_mean(name, _EVENTS) or f"; write {entry}:candle if {entry} is the symbol"
    raise _trouble(
        position, entry, f"has an unknown event {event!r} (candle, candle_5m, quote, …){guess}"
    )


def _trouble(position: int, entry: str, problem: str) -> SubscriptionError:
    return SubscriptionError(f"entry {position}, {entry!r}, {problem}")
