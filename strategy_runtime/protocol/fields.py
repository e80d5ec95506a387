"""Fields of a JSON object, read with patience, by the types they are for.

The typed decoder refuses a whole document for one odd value. Here a value that is merely
informative is left out instead, with a warning; one on which money depends is a fault.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from strategy_runtime.errors import TimeframeError
from strategy_runtime.protocol.enums import PositionSide, Side
from strategy_runtime.protocol.models import Candle, Order, Position, Quote, Trade
from strategy_runtime.protocol.timeframes import parse_timeframe
from strategy_runtime.protocol.values import NUMBER, is_sound, is_unicode, plain_data

__all__ = [
    "MAX_DEPTH",
    "SIDED",
    "TOO_EARLY",
    "TOO_LATE",
    "UNSIGNED",
    "Fault",
    "depth_exceeds",
    "parse_json",
    "read_body",
    "read_fields",
]

MAX_DEPTH = 64
"""Levels of nesting beyond which a document is refused."""

SIDED = (Order, Position, Trade)
"""What has a side, which alone tells the direction."""

UNSIGNED = ("quantity", "filled_quantity")
"""Its fields that have no sign of their own."""

TOO_EARLY, TOO_LATE = 1973, 5138
"""In years between these a number cannot have been taken for seconds that meant something else."""

_LARGEST = 1e38
_MAX_INTEGER = 40
_SHOWN = 40
_UNITS = ((10**14, 10**6), (10**11, 10**3), (10**8, 1))


class Fault(Exception):
    """A value that cannot be read; the text names it and says what was expected."""


def parse_json(text: str) -> Any:
    """Plain data out of JSON text: whole numbers as int, all others as Decimal.

    Raises:
        Fault: It is not JSON, or has numbers beyond all bounds.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_int=_whole, parse_constant=_no_constant)
    except ArithmeticError:
        raise Fault("not JSON: a number is beyond all bounds") from None
    except RecursionError:
        raise Fault("not JSON: nested too deeply") from None
    except ValueError as error:
        raise Fault(f"not JSON: {error}") from None


def depth_exceeds(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether plain data is nested deeper than a limit; works without recursion."""
    level = [value]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def read_body(hint: Any, value: Any) -> Any:
    """The body of an answer, of the type a hint names: a struct, or a list of one.

    Raises:
        Fault: It is of another kind, or lacks what it must not lack.
    """
    return _read(_as_type(hint), value, "the body", [])


def read_fields(
    target: type[Struct], value: Any, path: str, warnings: list[str], skip: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The fields of a struct, by attribute, out of a JSON object.

    Args:
        path: Where the object is, empty at the top of a frame.
        warnings: Collects what was left out.
        skip: Keys that are dealt with elsewhere.

    Raises:
        Fault: A field that matters is missing or cannot be read.
    """
    if not isinstance(value, dict):
        raise Fault(f"{path or 'the frame'} is no object")
    if target is Position:
        value = _with_a_side(value)
    fields: dict[str, Any] = {}
    for name, key, is_required, kind in _fields(target):
        given = value.get(key)
        where = f"{path}.{key}" if path else key
        if given is None or kind.reads_as_null(given):
            if is_required:
                raise Fault(f"{where} is missing")
            continue
        if key in skip:
            continue
        try:
            fields[name] = _read(kind, given, where, warnings)
        except Fault as fault:
            if is_required or kind.matters:
                raise
            warnings.append(str(fault))
    if target is Candle:
        _check_candle(fields)
    elif target in SIDED:
        _take_off_signs(fields, path)
    elif target is Quote and fields.get("last") is None:
        fields["last"] = (fields["bid"] + fields["ask"]) / 2
    return fields


def _with_a_side(position: dict[str, Any]) -> dict[str, Any]:
    """A position; a flat one is on neither side, and may have any name for that, or none."""
    side = position.get("side")
    if isinstance(side, str) and side.upper() in PositionSide.__members__:
        return position
    try:
        is_flat = not _decimal(position.get("quantity"), "")
    except Fault:
        return position
    return {**position, "side": PositionSide.LONG.value} if is_flat else position


def _take_off_signs(fields: dict[str, Any], path: str) -> None:
    """Have the side alone tell the direction: some venues call a short position of 5 one of -5."""
    for name in UNSIGNED:
        if name in fields and fields[name] < 0:
            if fields["side"] in (Side.BUY, PositionSide.LONG):
                raise Fault(f"{path}.{name} is {fields[name]}, and the side is {fields['side']}")
            fields[name] = abs(fields[name])
            fields.pop("remaining_quantity", None)  # it follows from the others


def _check_candle(fields: dict[str, Any]) -> None:
    try:
        parse_timeframe(fields["timeframe"]).end_of(fields["stamp"])
    except TimeframeError as error:
        raise Fault(str(error)) from None
    except OverflowError:
        raise Fault("the bar ends beyond the calendar") from None


class _Type(NamedTuple):
    """What a field takes: a type, `item` where it is a list, limits of length where it has any."""

    kind: Any
    item: Any = None
    is_nullable: bool = False
    least: int = 0
    most: int | None = None

    @property
    def matters(self) -> bool:
        """Whether a wrong value must not just be left out: no number stands for an unknown one."""
        return self.kind is float or (self.kind is Decimal and not self.is_nullable)

    def reads_as_null(self, value: Any) -> bool:
        """The typed decoder takes the text `null` for null unless just any text will do."""
        return (
            self.is_nullable
            and self.kind is not str
            and isinstance(value, str)
            and value.lower() == "null"
        )


@cache
def _fields(target: type[Struct]) -> tuple[tuple[str, str, bool, _Type], ...]:
    hints = get_type_hints(target, include_extras=True)
    return tuple(
        (field.name, field.encode_name, field.required, _as_type(hints[field.name]))
        for field in msgspec.structs.fields(target)
    )


@cache
def _as_type(hint: Any) -> _Type:
    alternatives = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kind = alternatives[0]
    is_nullable = NoneType in alternatives
    limits = Meta()
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
    if get_origin(kind) is list:
        return _Type(list, _as_type(get_args(kind)[0]), is_nullable)
    return _Type(kind, None, is_nullable, limits.min_length or 0, limits.max_length)


def _read(expected: _Type, value: Any, where: str, warnings: list[str]) -> Any:
    kind = expected.kind
    if kind is Any:
        return plain_data(value)
    if kind is datetime:
        return _time(value, where)
    if kind is Decimal:
        return _number(value, where)
    if kind is float:
        return _float(value, where)
    if kind is list:
        if not isinstance(value, list):
            raise Fault(f"{where} is no list")
        return [
            _read(expected.item, item, f"{where}[{n}]", warnings) for n, item in enumerate(value)
        ]
    if kind is str:
        return _text(expected, value, where)
    if issubclass(kind, StrEnum):
        try:
            return kind(_text(expected, value, where))
        except ValueError:
            raise Fault(f"{where} is {_shown(value)}, expected one of {', '.join(kind)}") from None
    if issubclass(kind, Struct):
        return kind(**read_fields(kind, value, where, warnings))
    try:
        given = float(value) if isinstance(value, Decimal) else value
        return msgspec.convert(given, kind, strict=False)
    except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
        raise Fault(f"{where} is {_shown(value)}, expected {kind.__name__}") from None


def _text(expected: _Type, value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Fault(f"{where} is {_shown(value)}, expected text")
    if len(value) < expected.least:
        raise Fault(f"{where} is empty")
    if expected.most is not None and len(value) > expected.most:
        raise Fault(f"{where} has more than {expected.most} characters")
    if (expected.least and "\0" in value) or not is_unicode(value):
        raise Fault(f"{where} has a character that it may not have")
    return value


def _float(value: Any, where: str) -> float:
    number = float(_decimal(value, where))
    if not -_LARGEST < number < _LARGEST:
        raise Fault(f"{where} is beyond all bounds")
    return number


def _number(value: Any, where: str) -> Decimal:
    number = _decimal(value, where)
    if not is_sound(number):
        raise Fault(f"{where} is beyond all bounds")
    return number


def _decimal(value: Any, where: str) -> Decimal:
    if isinstance(value, str):
        if not NUMBER.fullmatch(value):
            raise Fault(f"{where} is {_shown(value)}, expected a decimal number")
        value = Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Fault(f"{where} is {_shown(value)}, expected a number")
    return Decimal(value)


def _time(value: Any, where: str) -> datetime:
    if isinstance(value, str) and not NUMBER.fullmatch(value):
        try:
            moment = msgspec.convert(value, datetime)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (msgspec.ValidationError, OverflowError, UnicodeEncodeError):
            raise Fault(f"{where} is {_shown(value)}, expected RFC 3339") from None
    number = _number(value, where)
    for least, unit in _UNITS:
        if least <= number < least * 1000:
            if unit == 1:
                return msgspec.convert(float(number), datetime, strict=False)
            seconds, micros = divmod(int(number * 1_000_000 / unit), 1_000_000)
            return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    raise Fault(f"{where} is {_shown(value)}, no time since the epoch in seconds, ms or µs")


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _whole(digits: str) -> int:
    if len(digits) > _MAX_INTEGER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")
